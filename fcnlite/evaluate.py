"""`python -m fcnlite.evaluate`: the paper's four metrics, and IU, Dice, precision and recall of each class."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from fcnlite._cli.data_options import add_data_options, evaluation_data
from fcnlite._cli.json_output import add_json, check_target, write_json
from fcnlite._cli.net_options import add_views, add_weights, open_segmenter
from fcnlite._cli.parser import add_threads, command_parser
from fcnlite._cli.recorded_options import use_recorded_options
from fcnlite._cli.running import apply_threads, progress_bar, run_command
from fcnlite.data import Dataset
from fcnlite.errors import FcnliteError, FileError
from fcnlite.ranks.communicator import Communicator
from fcnlite.ranks.launcher import world
from fcnlite.segmentation import by_picture, figures, plots
from fcnlite.segmentation.jobs import make_folder
from fcnlite.segmentation.judging import Judgement, judge
from fcnlite.segmentation.segmenter import Segmenter

_DESCRIPTION = """\
Measure a net on a data set. Each picture of a split is segmented at its own size, and the pixels are
counted by true and predicted class, without void pixels. The cells between membranes (isbi) are scored
too, by their challenge's V_rand and V_info. Several weight files are compared on the
same pictures. Without --data, the data set is the one that the net was trained on, with the options and
the root of its run."""

_EXAMPLES = """\
  python -m fcnlite.evaluate runs/photos/best.h5
  python -m fcnlite.evaluate camvid.h5 --data camvid --root data/camvid
  python -m fcnlite.evaluate camvid.h5 --data camvid --root data/camvid --flip --scales 0.75 1 1.25
  python -m fcnlite.evaluate runs/a/best.h5 runs/b/best.h5 --data folder --root photos --intervals
  python -m fcnlite.evaluate camvid.h5 --data camvid --root data/camvid --calibration --by-picture judged
  python -m fcnlite.evaluate mine.h5 --data folder --root photos --data-option val=0.3 --json mine.json
  python -m fcnlite.evaluate voc.h5 --data sbd --root SBD --data-option voc=VOC2011 --split seg11valid
  python -m fcnlite.evaluate demo/run/best.h5 --data shapes --split test --confusion matrix.png"""


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_intermixed_args(arguments)
    apply_threads(options.threads)
    for target in (options.json, options.confusion):
        check_target(target)
    _check_several(options)
    segmenter = _open(options, 0)
    use_recorded_options(options, options.weights[0])
    ranks = world()
    dataset = evaluation_data(options, ranks)
    judged = [_judge(options, segmenter, dataset, 0, ranks)]
    judged += [_judge(options, _open(options, i), dataset, i, ranks) for i in range(1, len(options.weights))]
    if ranks.first:
        _write(options, dataset, segmenter, judged)


def _open(options: argparse.Namespace, number: int) -> Segmenter:
    """A segmenter with one of the weight files."""
    return open_segmenter(argparse.Namespace(**{**vars(options), "weights": options.weights[number]}))


def _judge(
    options: argparse.Namespace, segmenter: Segmenter, dataset: Dataset, number: int, ranks: Communicator
) -> Judgement:
    return judge(
        options.weights[number],
        segmenter,
        dataset,
        lambda: progress_bar("picture"),
        calibrated=options.calibration,
        with_boundaries=options.boundaries,
        intervals=options.intervals,
        classes_by_number=options.classes_by_number,
        ranks=ranks,
    )


def _write(options: argparse.Namespace, dataset: Dataset, segmenter: Segmenter, judged: Sequence[Judgement]) -> None:
    """Print the figures, and write the files that the command line asks for."""
    several = len(judged) > 1
    if options.json != "-":
        print(figures.comparison(dataset, judged) if several else figures.table(dataset, judged[0]))
    found = [figures.values(dataset, each) for each in judged]
    write_json(options.json, "evaluate/1", {"nets": found} if several else found[0])
    if options.confusion is not None:
        plots.confusion_matrix(options.confusion, next(iter(judged[0].matrices.values())), dataset.classes)
    if options.by_picture is not None:
        folder = Path(options.by_picture)
        make_folder(folder)
        by_picture.write_table(folder / "pictures.csv", judged, dataset.classes)
        by_picture.write_sheet(folder / "worst.png", judged[0], segmenter, dataset, options.classes_by_number)
        print(f"by picture: {folder / 'pictures.csv'}, {folder / 'worst.png'}", file=sys.stderr)


def _check_several(options: argparse.Namespace) -> None:
    """Refuse options that go with one weight file, and files that do not exist, before the first net runs."""
    for each in options.weights:
        if not Path(each).is_file():
            raise FileError(f"{each}: no such file; check the path.")
    if len(options.weights) > 1 and (options.net is not None or options.confusion is not None):
        name = "--net" if options.net is not None else "--confusion"
        raise FcnliteError(f"{name} goes with one weight file, and {len(options.weights)} are given; leave it out.")


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("evaluate", _DESCRIPTION, _EXAMPLES)
    add_weights(parser, several=True)
    add_views(parser)
    add_data_options(parser)
    words = "the split to measure on (default: the data set's validation split, such as val)"
    parser.add_argument("--split", metavar="NAME", help=words)
    words = "match the classes of net and data by number (default: by name)"
    parser.add_argument("--classes-by-number", action="store_true", help=words)
    add_json(parser, "all figures and the confusion matrix")
    words = "print 95 %% intervals of the figures (bootstrap over pictures); of several nets, those of the differences"
    parser.add_argument("--intervals", action="store_true", help=words)
    words = "print the expected calibration error: the distance of confidence and accuracy"
    parser.add_argument("--calibration", action="store_true", help=words)
    words = "print the boundary F1 score: how well outlines follow the true ones, within 0.75 %% of the diagonal"
    parser.add_argument("--boundaries", action="store_true", help=words)
    words = "write DIR/pictures.csv, the figures of each picture, worst first, and DIR/worst.png, a sheet of the worst"
    parser.add_argument("--by-picture", metavar="DIR", help=words)
    parser.add_argument("--confusion", metavar="FILE.png", help="draw the confusion matrix (of the first label map)")
    add_threads(parser)
    return parser


if __name__ == "__main__":
    sys.exit(run_command(main, shares_work=True))
