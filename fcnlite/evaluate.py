"""`python -m fcnlite.evaluate`: the paper's four metrics and the IU of each class."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence

import numpy as np

from fcnlite._cli.data_options import add_data_options, evaluation_data
from fcnlite._cli.json_output import add_json, check_target, write_json
from fcnlite._cli.net_options import add_views, add_weights, open_segmenter
from fcnlite._cli.parser import add_threads, command_parser
from fcnlite._cli.recorded_options import use_recorded_options
from fcnlite._cli.running import apply_threads, progress_bar, run_command
from fcnlite.data import Dataset
from fcnlite.ranks.launcher import world
from fcnlite.segmentation import figures, plots
from fcnlite.segmentation.evaluation import confusions
from fcnlite.segmentation.objects import ObjectScore, object_scores
from fcnlite.segmentation.views import Views

_DESCRIPTION = """\
Measure a net on a data set. Each picture of a split is segmented at its own size, and the pixels are
counted by true and predicted class, without void pixels. The cells between membranes (isbi) are scored
too, by their challenge's V_rand and V_info. Without --data, the data set is the one that the net was
trained on, with the options and the root of its run."""

_EXAMPLES = """\
  python -m fcnlite.evaluate runs/photos/best.h5
  python -m fcnlite.evaluate camvid.h5 --data camvid --root data/camvid
  python -m fcnlite.evaluate camvid.h5 --data camvid --root data/camvid --flip --scales 0.75 1 1.25
  python -m fcnlite.evaluate mine.h5 --data folder --root photos --data-option val=0.3 --json mine.json
  python -m fcnlite.evaluate voc.h5 --data sbd --root SBD --data-option voc=VOC2011 --split seg11valid
  python -m fcnlite.evaluate demo/run/best.h5 --data shapes --split test --confusion matrix.png"""


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    apply_threads(options.threads)
    for target in (options.json, options.confusion):
        check_target(target)
    segmenter = open_segmenter(options)
    use_recorded_options(options, options.weights)
    ranks = world()
    dataset = evaluation_data(options, ranks)
    with progress_bar("picture") as progress:
        by_number = options.classes_by_number
        matrices = confusions(segmenter, dataset, progress, classes_by_number=by_number, ranks=ranks)
    objects = {}
    if dataset.border is not None:
        with progress_bar("picture") as progress:
            objects = object_scores(segmenter, dataset, progress, classes_by_number=by_number, ranks=ranks)
    if ranks.first:
        _write(options, dataset, matrices, segmenter.views, objects)


def _write(
    options: argparse.Namespace,
    dataset: Dataset,
    matrices: Mapping[str, np.ndarray],
    views: Views,
    objects: Mapping[str, ObjectScore],
) -> None:
    """Print the figures, and write the files that the command line asks for."""
    if options.json != "-":
        print(figures.table(dataset, matrices, views, objects))
    write_json(options.json, "evaluate/1", figures.values(options.weights, dataset, matrices, views, objects))
    if options.confusion is not None:
        plots.confusion_matrix(options.confusion, next(iter(matrices.values())), dataset.classes)


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("evaluate", _DESCRIPTION, _EXAMPLES)
    add_weights(parser)
    add_views(parser)
    add_data_options(parser)
    words = "the split to measure on (default: the data set's validation split, such as val)"
    parser.add_argument("--split", metavar="NAME", help=words)
    words = "match the classes of net and data by number (default: by name)"
    parser.add_argument("--classes-by-number", action="store_true", help=words)
    add_json(parser, "all figures and the confusion matrix")
    parser.add_argument("--confusion", metavar="FILE.png", help="draw the confusion matrix (of the first label map)")
    add_threads(parser)
    return parser


if __name__ == "__main__":
    sys.exit(run_command(main, shares_work=True))
