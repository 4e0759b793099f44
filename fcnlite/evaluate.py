"""`python -m fcnlite.evaluate`: the paper's four metrics and the IU of each class."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fcnlite import _cli, plots
from fcnlite._cli_data import add_data_options, open_data
from fcnlite.data import Dataset
from fcnlite.errors import FileError
from fcnlite.evaluation import confusion
from fcnlite.files import atomic_write
from fcnlite.metrics import Metrics

_DESCRIPTION = """\
Measure a net on a data set: every picture of a split is segmented at its own size, and the pixels
are counted by true and predicted class (void ones are left out)."""

_EXAMPLES = """\
  python -m fcnlite.evaluate camvid.h5 --data camvid --root data/camvid
  python -m fcnlite.evaluate mine.h5 --data folder --root photos --data-option val=0.3 --json mine.json
  python -m fcnlite.evaluate demo/best.h5 --data shapes --split test --confusion matrix.png"""

FIGURES = ("pixel_accuracy", "mean_accuracy", "mean_iu", "frequency_weighted_iu")


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    _cli.apply_threads(options)
    for target in (options.json, options.confusion):
        _check_target(target)
    segmenter = _cli.open_segmenter(options)
    dataset = open_data(options, options.split)
    with _cli.progress("picture") as progress:
        matrix = confusion(segmenter, dataset, progress)
    report = _report(options.weights, dataset, matrix)
    if options.json == "-":
        print(report)
    else:
        print(_table(dataset, matrix))
    if options.json not in (None, "-"):
        with atomic_write(options.json) as temporary:
            temporary.write_text(report + "\n", encoding="utf-8")
    if options.confusion is not None:
        plots.confusion_matrix(options.confusion, matrix, dataset.classes)


def _parser() -> argparse.ArgumentParser:
    parser = _cli.parser("evaluate", _DESCRIPTION, _EXAMPLES)
    _cli.add_weights(parser)
    add_data_options(parser, required=True)
    parser.add_argument("--split", default="val", help="the part of the data to measure on (default: val)")
    words = "write all figures and the confusion matrix; '-': to standard output, instead of the table"
    parser.add_argument("--json", metavar="FILE", help=words)
    parser.add_argument("--confusion", metavar="FILE.png", help="draw the confusion matrix")
    _cli.add_threads(parser)
    return parser


def _check_target(target: str | None) -> None:
    """Refuse a file that cannot be written before the long work, not after."""
    if target is not None and Path(target).is_dir():
        raise FileError(f"{target}: is a folder; give the name of a file to write.")
    if target is not None and not Path(target).parent.is_dir():
        raise FileError(f"{target}: there is no folder {Path(target).parent} to write it to; make it first.")


def _table(dataset: Dataset, matrix: np.ndarray) -> str:
    """The figures for people."""
    metrics = Metrics.from_matrix(matrix)
    truth = matrix.sum(axis=1)
    pictures = f"{len(dataset)} picture" + ("" if len(dataset) == 1 else "s")
    lines = [f"{dataset.name}, split {dataset.split}: {pictures}, {truth.sum():,} pixels", ""]
    names = [name.replace("_", " ").replace("iu", "IU") for name in FIGURES]
    width = max(map(len, (*names, *dataset.classes)))
    figures = [_figure(getattr(metrics, name)) for name in FIGURES]
    lines += [f"{name:{width}}  {figure:>8}" for name, figure in zip(names, figures, strict=True)]
    lines += ["", f"{'class':{width}}  {'IU':>8}  {'accuracy':>8}  {'pixels':>8}"]
    for name, iu, accuracy, count in zip(dataset.classes, metrics.iu, metrics.accuracy, truth, strict=True):
        share = f"{100 * count / max(1, truth.sum()):.1f} %"
        lines.append(f"{name:{width}}  {_figure(iu):>8}  {_figure(accuracy):>8}  {share:>8}")
    return "\n".join(lines)


def _figure(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.4f}"


def _report(weights: str, dataset: Dataset, matrix: np.ndarray) -> str:
    """The figures as JSON, unrounded; null for those that have no value."""
    metrics = Metrics.from_matrix(matrix)

    def number(value: float) -> float | None:
        return None if math.isnan(value) else value

    report: dict[str, Any] = {
        "weights": weights,
        "data": dataset.name,
        "split": dataset.split,
        "pictures": len(dataset),
        **{key: number(getattr(metrics, key)) for key in FIGURES},
        "classes": list(dataset.classes),
        "iu": [number(value) for value in metrics.iu],
        "accuracy": [number(value) for value in metrics.accuracy],
        "confusion": matrix.tolist(),
    }
    return json.dumps(report)


if __name__ == "__main__":
    sys.exit(_cli.run(main))
