"""`python -m fcnlite.predict`: label maps and overlays of pictures."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from fcnlite._cli.json_output import add_json, check_target, write_json
from fcnlite._cli.net_options import add_views, add_weights, open_segmenter
from fcnlite._cli.output_options import add_outputs, wanted_outputs
from fcnlite._cli.parser import add_threads, command_parser, positive
from fcnlite._cli.running import apply_threads, run_command
from fcnlite._cli.scene_options import add_also, folders, main_input
from fcnlite._cli.segmenting import segment_and_tell
from fcnlite.data.problems import raise_if_any
from fcnlite.errors import DataError
from fcnlite.ranks.launcher import world
from fcnlite.segmentation.clips import Clips
from fcnlite.segmentation.jobs import Plan, find_pictures, make_folder
from fcnlite.segmentation.outputs.results import write_collected

_DESCRIPTION = """\
Segment pictures. For each picture this writes OUT/NAME.png, a palette PNG whose pixels are class
numbers, and OUT/NAME_overlay.png, the picture tinted by class with a legend. Sub-folders of a folder
are mirrored in OUT; the frames of a video are NAME_000000.png and so on. A net that scores several label
maps (SIFT Flow's) writes the others to OUT/NAME_LABEL.png. For a net that takes several pictures of a
scene, --also says where the others are.

Polygons, tables, probabilities and GeoTIFFs are written on request; options choose the pixels that keep
their class."""

_EXAMPLES = """\
  python -m fcnlite.predict camvid.h5 street.png
  python -m fcnlite.predict camvid.h5 photos/ 'more/*.jpg' -o labels --no-overlay
  python -m fcnlite.predict camvid.h5 photos/ --flip --scales 0.75 1 1.25
  python -m fcnlite.predict camvid.h5 photos/ --only car,pedestrian --min-area 50 --polygons coco --table areas.csv
  python -m fcnlite.predict field.h5 map.tif --tile 2048 --no-overlay
  python -m fcnlite.predict field.h5 tiles/*.tif --geotiff --polygons geojson
  python -m fcnlite.predict camvid.h5 drive.mp4 --every 25
  python -m fcnlite.predict fcn8s.caffemodel --net fcn8s.prototxt photo.jpg
  python -m fcnlite.predict nyud.h5 nyud/data/images --also hha=nyud/data/hha"""


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_intermixed_args(arguments)
    apply_threads(options.threads)
    for target in (options.json, options.table):
        check_target(target, makes=options.out)
    if options.skip_done and options.polygons == "coco":
        raise DataError(
            "--polygons coco needs the probabilities of all pictures, and --skip-done does not compute them again; "
            "give one or the other."
        )
    out = Path(options.out)
    also = folders(options.also)
    ranks = world()
    found = ranks.from_first(lambda: list(find_pictures(options.inputs, out)))
    segmenter = open_segmenter(options)
    wanted = wanted_outputs(options, segmenter)
    picture = main_input(segmenter, also)
    plan = Plan(out, also, [*segmenter.heads], not options.no_overlay, wanted.endings)
    jobs, videos = plan.divide(found)
    clips = Clips(videos, plan, options.every, options.skip_done, (ranks.rank, ranks.size))
    make_folder(out)
    if not segmenter.views.single:
        print(f"averaged over {segmenter.views}", file=sys.stderr)
    for name in segmenter.inputs:
        print(f"{name}: fed as {segmenter.net.info.preprocessing.of(name)}", file=sys.stderr)
    done, problems = segment_and_tell(options, segmenter, picture, jobs, clips, wanted, ranks)
    if ranks.first:
        for path in write_collected(done, segmenter.classes, wanted, out, options.table):
            print(f"all pictures -> {path}", file=sys.stderr)
        values = {"weights": options.weights, "pictures": [each.values() for each in done], "problems": problems}
        write_json(options.json, "predict/1", values)
    if len(problems) == 1:
        raise DataError(f"{problems[0]} {_others(len(done))}".strip())
    raise_if_any(f"{len(done)} of {len(done) + len(problems)} pictures segmented", problems)


def _others(done: int) -> str:
    """What became of the other pictures than the one that an error names."""
    return f"{done} other picture{' is' if done == 1 else 's are'} segmented." if done else ""


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("predict", _DESCRIPTION, _EXAMPLES)
    add_weights(parser)
    parser.add_argument("inputs", metavar="INPUT", nargs="+", help="picture files, folders, videos or glob patterns")
    words = "the folder to write to (default: predictions)"
    parser.add_argument("-o", "--out", metavar="OUT", default="predictions", help=words)
    add_also(parser)
    parser.add_argument("--no-overlay", action="store_true", help="write label maps only")
    words = "leave out pictures whose results are in OUT already, after a run that was stopped"
    parser.add_argument("--skip-done", action="store_true", help=words)
    words = "of videos, segment every N-th frame (default: 1)"
    parser.add_argument("--every", metavar="N", type=positive, default=1, help=words)
    words = "segment so many pictures at the same time, with a part of the threads each (default: 1)"
    parser.add_argument("--workers", type=positive, metavar="N", default=1, help=words)
    add_views(parser)
    add_outputs(parser)
    add_json(parser, "the files and the table of each picture")
    add_threads(parser)
    return parser


if __name__ == "__main__":
    sys.exit(run_command(main, shares_work=True))
