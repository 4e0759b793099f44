"""`python -m fcnlite.predict`: label maps and overlays of pictures."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from fcnlite._cli.json_output import add_json, check_target, write_json
from fcnlite._cli.net_options import add_views, add_weights, open_segmenter
from fcnlite._cli.output_options import add_outputs, wanted_outputs
from fcnlite._cli.parser import add_threads, command_parser
from fcnlite._cli.running import apply_threads, run_command
from fcnlite._cli.scene_options import add_also, folders, main_input
from fcnlite.data.pictures import read_image, show
from fcnlite.data.problems import raise_if_any
from fcnlite.errors import DataError, FcnliteError, FileError
from fcnlite.ranks.communicator import Communicator
from fcnlite.ranks.launcher import world
from fcnlite.segmentation.jobs import Job, find_pictures, make_folder, plan_jobs
from fcnlite.segmentation.outputs.results import Wanted, Written, write_collected, write_results
from fcnlite.segmentation.segmenter import Segmented, Segmenter

_DESCRIPTION = """\
Segment pictures. For each picture this writes OUT/NAME.png, a palette PNG whose pixels are class
numbers, and OUT/NAME_overlay.png, the picture tinted by class with a legend. Sub-folders of a folder
are mirrored in OUT. A net that scores several label maps (SIFT Flow's) writes the others to
OUT/NAME_LABEL.png. For a net that takes several pictures of a scene, --also says where the others are.

Polygons, tables, probabilities and GeoTIFFs are written on request; options choose the pixels that keep
their class."""

_EXAMPLES = """\
  python -m fcnlite.predict camvid.h5 street.png
  python -m fcnlite.predict camvid.h5 photos/ 'more/*.jpg' -o labels --no-overlay
  python -m fcnlite.predict camvid.h5 photos/ --flip --scales 0.75 1 1.25
  python -m fcnlite.predict camvid.h5 photos/ --only car,pedestrian --min-area 50 --polygons coco --table areas.csv
  python -m fcnlite.predict field.h5 map.tif --tile 2048 --no-overlay
  python -m fcnlite.predict field.h5 tiles/*.tif --geotiff --polygons geojson
  python -m fcnlite.predict fcn8s.caffemodel --net fcn8s.prototxt photo.jpg
  python -m fcnlite.predict nyud.h5 nyud/data/images --also hha=nyud/data/hha"""


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_intermixed_args(arguments)
    apply_threads(options.threads)
    for target in (options.json, options.table):
        check_target(target)
    out = Path(options.out)
    also = folders(options.also)
    ranks = world()
    found = ranks.from_first(lambda: list(find_pictures(options.inputs, out)))
    segmenter = open_segmenter(options)
    wanted = wanted_outputs(options, segmenter)
    picture = main_input(segmenter, also)
    jobs = plan_jobs(found, out, also, [*segmenter.heads], not options.no_overlay, wanted.endings)
    make_folder(out)
    if not segmenter.views.single:
        print(f"averaged over {segmenter.views}", file=sys.stderr)
    for name in segmenter.inputs:
        print(f"{name}: fed as {segmenter.net.info.preprocessing.of(name)}", file=sys.stderr)
    done, problems = _segment(segmenter, picture, jobs, wanted, ranks, quiet=options.json == "-")
    if ranks.first:
        for path in write_collected(done, segmenter.classes, wanted, out, options.table):
            print(f"all pictures -> {path}", file=sys.stderr)
        values = {"weights": options.weights, "pictures": [each.values() for each in done], "problems": problems}
        write_json(options.json, "predict/1", values)
    if len(problems) == 1:
        raise DataError(problems[0])
    raise_if_any(f"{len(jobs) - len(problems)} of {len(jobs)} pictures segmented", problems)


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("predict", _DESCRIPTION, _EXAMPLES)
    add_weights(parser)
    parser.add_argument("inputs", metavar="INPUT", nargs="+", help="picture files, folders or glob patterns")
    words = "the folder to write to (default: predictions)"
    parser.add_argument("-o", "--out", metavar="OUT", default="predictions", help=words)
    add_also(parser)
    parser.add_argument("--no-overlay", action="store_true", help="write label maps only")
    add_views(parser)
    add_outputs(parser)
    add_json(parser, "the files and the table of each picture")
    add_threads(parser)
    return parser


def _segment(
    segmenter: Segmenter, picture: str, jobs: Sequence[Job], wanted: Wanted, ranks: Communicator, quiet: bool
) -> tuple[list[Written], list[str]]:
    """Segment each picture and, unless `quiet`, print the files written.

    Returns what was written, and the problems of the other pictures, on every rank. `picture`: the net's input for the
    sources of the jobs. The `ranks` share out the jobs.
    """
    from tqdm import tqdm

    # The other ranks show only their results.
    results = sys.stdout if ranks.first else sys.__stdout__
    problems: list[str] = []
    done: list[Written] = []
    preprocessing = segmenter.net.info.preprocessing
    for job in tqdm(jobs[ranks.rank :: ranks.size], unit="picture", disable=None, leave=False, file=sys.stderr):
        paths = {picture: job.source, **job.others}
        try:
            images = {name: read_image(path, preprocessing=preprocessing.of(name)) for name, path in paths.items()}
            if wanted.need_probabilities:
                found = segmenter.segmented(images)
            else:
                found = {name: Segmented(labels, None) for name, labels in segmenter.label_maps(images).items()}
        except MemoryError as error:
            problems.append(f"{job.source}: there is not enough memory to segment it ({error}); make it smaller.")
            continue
        except FcnliteError as error:
            message = str(error)
            named = message.startswith(tuple(map(str, paths.values())))
            problems.append(message if named else f"{job.source}: {message}")
            continue
        try:
            done.append(write_results(job, show(images[picture]), found, segmenter, wanted))
        except FileError as error:
            problems.append(str(error))
            break  # the others could not be written either
        except DataError as error:  # the picture has no georeference
            problems.append(str(error))
            continue
        if not quiet:
            files = ", ".join(map(str, job.targets))
            tqdm.write("\n  ".join([f"{job.source} -> {files}", *done[-1].shares]), file=results)
    parts = ranks.gather((done, problems))
    return [each for part, _ in parts for each in part], [each for _, part in parts for each in part]


if __name__ == "__main__":
    sys.exit(run_command(main, shares_work=True))
