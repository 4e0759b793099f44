"""`python -m fcnlite.evaluate`: the paper's four metrics and the IU of each class."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fcnlite._cli.data_options import add_data_options, evaluation_data
from fcnlite._cli.net_options import add_views, add_weights, open_segmenter
from fcnlite._cli.parser import add_threads, command_parser
from fcnlite._cli.recorded_options import use_recorded_options
from fcnlite._cli.running import apply_threads, progress_bar, run_command
from fcnlite.data import Dataset
from fcnlite.description.model_info import Labels
from fcnlite.errors import FileError
from fcnlite.files import atomic_write
from fcnlite.ranks.launcher import world
from fcnlite.segmentation import plots
from fcnlite.segmentation.evaluation import confusions
from fcnlite.segmentation.metrics import Metrics, number, text
from fcnlite.segmentation.views import Views

_DESCRIPTION = """\
Measure a net on a data set. Each picture of a split is segmented at its own size, and the pixels are
counted by true and predicted class, without void pixels. Without --data, the data set is the one that
the net was trained on, with the options and the root of its run."""

_EXAMPLES = """\
  python -m fcnlite.evaluate runs/photos/best.h5
  python -m fcnlite.evaluate camvid.h5 --data camvid --root data/camvid
  python -m fcnlite.evaluate camvid.h5 --data camvid --root data/camvid --flip --scales 0.75 1 1.25
  python -m fcnlite.evaluate mine.h5 --data folder --root photos --data-option val=0.3 --json mine.json
  python -m fcnlite.evaluate voc.h5 --data sbd --root SBD --data-option voc=VOC2011 --split seg11valid
  python -m fcnlite.evaluate demo/run/best.h5 --data shapes --split test --confusion matrix.png"""

FIGURES = ("pixel_accuracy", "mean_accuracy", "mean_iu", "frequency_weighted_iu")


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    apply_threads(options.threads)
    for target in (options.json, options.confusion):
        _check_target(target)
    segmenter = open_segmenter(options)
    use_recorded_options(options, options.weights)
    ranks = world()
    dataset = evaluation_data(options, ranks)
    with progress_bar("picture") as progress:
        by_number = options.classes_by_number
        matrices = confusions(segmenter, dataset, progress, classes_by_number=by_number, ranks=ranks)
    if ranks.first:
        _write(options, dataset, matrices, segmenter.views)


def _write(options: argparse.Namespace, dataset: Dataset, matrices: Mapping[str, np.ndarray], views: Views) -> None:
    """Print the figures, and write the files that the command line asks for."""
    report = json.dumps(_report(options.weights, dataset, matrices, views))
    if options.json == "-":
        print(report)
    else:
        print(_text(dataset, matrices, views))
    if options.json not in (None, "-"):
        with atomic_write(options.json) as temporary:
            temporary.write_text(report + "\n", encoding="utf-8")
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
    words = "write all figures and the confusion matrix as JSON; '-': to standard output, instead of the table"
    parser.add_argument("--json", metavar="FILE", help=words)
    parser.add_argument("--confusion", metavar="FILE.png", help="draw the confusion matrix (of the first label map)")
    add_threads(parser)
    return parser


def _check_target(target: str | None) -> None:
    """Refuse a file that cannot be written before the net runs."""
    if target is not None and Path(target).is_dir():
        raise FileError(f"{target}: is a folder; give the name of a file to write.")
    if target is not None and not Path(target).parent.is_dir():
        raise FileError(f"{target}: there is no folder {Path(target).parent} to write it to; make it first.")


def _text(dataset: Dataset, matrices: Mapping[str, np.ndarray], views: Views) -> str:
    """A table for each label map."""
    pictures = f"{len(dataset)} picture" + ("" if len(dataset) == 1 else "s")
    if dataset.skipped:
        pictures += f" ({len(dataset.skipped)} skipped, which cannot be used)"
    tables = []
    for name, labels in dataset.labels.items():
        heading = f"{dataset.name}, split {dataset.split}: {pictures}, {matrices[name].sum():,} pixels"
        if len(dataset.labels) > 1:
            heading += f", label {name}"
        if not views.single:
            heading += f"; averaged over {views}"
        tables.append("\n".join([heading, "", *_table(labels, matrices[name])]))
    return "\n\n".join(tables)


def _table(labels: Labels, matrix: np.ndarray) -> list[str]:
    """The four figures, and a line for each class."""
    metrics = Metrics.from_matrix(matrix)
    truth = matrix.sum(axis=1)
    names = [name.replace("_", " ").replace("iu", "IU") for name in FIGURES]
    width = max(map(len, (*names, *labels.classes)))
    figures = [text(getattr(metrics, name), 4) for name in FIGURES]
    lines = [f"{name:{width}}  {figure:>8}" for name, figure in zip(names, figures, strict=True)]
    lines += ["", f"{'class':{width}}  {'IU':>8}  {'accuracy':>8}  {'pixels':>8}"]
    for name, iu, accuracy, count in zip(labels.classes, metrics.iu, metrics.accuracy, truth, strict=True):
        share = f"{100 * count / max(1, truth.sum()):.1f} %"
        lines.append(f"{name:{width}}  {text(iu, 4):>8}  {text(accuracy, 4):>8}  {share:>8}")
    return lines


def _report(weights: str, dataset: Dataset, matrices: Mapping[str, np.ndarray], views: Views) -> dict[str, Any]:
    """The figures as JSON values, unrounded; `labels` holds those of further label maps by name."""
    first, *others = matrices
    report: dict[str, Any] = {
        "weights": weights,
        "data": dataset.name,
        "split": dataset.split,
        "pictures": len(dataset),
        **({} if views.single else {"flip": views.flip, "scales": list(views.scales)}),
        **({"skipped": len(dataset.skipped)} if dataset.skipped else {}),
        **_figures(dataset.labels[first], matrices[first]),
    }
    if others:
        report["label"] = first
        report["labels"] = {name: _figures(dataset.labels[name], matrices[name]) for name in others}
    return report


def _figures(labels: Labels, matrix: np.ndarray) -> dict[str, Any]:
    """The figures of one label map; None for a figure without a value."""
    metrics = Metrics.from_matrix(matrix)
    return {
        **{key: number(getattr(metrics, key)) for key in FIGURES},
        "classes": list(labels.classes),
        "iu": [number(value) for value in metrics.iu],
        "accuracy": [number(value) for value in metrics.accuracy],
        "confusion": matrix.tolist(),
    }


if __name__ == "__main__":
    sys.exit(run_command(main, shares_work=True))
