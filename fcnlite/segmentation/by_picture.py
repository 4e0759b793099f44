"""Figures of single pictures, the worst first, and a sheet of the worst."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fcnlite.arrays import Array
from fcnlite.data import Dataset
from fcnlite.data.pictures import show
from fcnlite.files import atomic_write
from fcnlite.segmentation import plots
from fcnlite.segmentation.evaluation import matches
from fcnlite.segmentation.judging import Judgement, short_names
from fcnlite.segmentation.metrics import Metrics, text
from fcnlite.segmentation.segmenter import Segmenter

WORST = 12
"""The pictures on the sheet."""


def order(judged: Judgement) -> list[int]:
    """The numbers of the pictures by their mean IU, the lowest first; those without labelled pixels are last."""
    scores = [Metrics.from_matrix(each.matrix).mean_iu for each in judged.pictures]
    return sorted(range(len(scores)), key=lambda i: (math.isnan(scores[i]), scores[i], i))


def write_table(path: Path, judged: Sequence[Judgement], classes: Sequence[str]) -> None:
    """Write a line for each picture, in the order of the first net's mean IU; the IU by class are the first net's.

    Raises `FileError` if the file cannot be written.
    """
    endings = [""] if len(judged) == 1 else [f" of {name}" for name in short_names(judged)]
    heading = ["picture", "pixels", *(f"{figure}{end}" for end in endings for figure in ("mean_iu", "pixel_accuracy"))]
    with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*heading, *(f"iu {name}" for name in classes)])
        for index in order(judged[0]):
            name, matrix = judged[0].pictures[index]
            found = [Metrics.from_matrix(each.pictures[index].matrix) for each in judged]
            figures = [figure for each in found for figure in (each.mean_iu, each.pixel_accuracy)]
            writer.writerow([name, int(matrix.sum()), *map(_text, (*figures, *found[0].iu))])


def write_sheet(path: Path, judged: Judgement, segmenter: Segmenter, dataset: Dataset, by_number: bool) -> None:
    """Write a sheet of the worst pictures: picture, truth, prediction and errors. Raises `FileError`."""
    numbers = matches(segmenter, dataset, by_number)[0].order
    rows: list[tuple[Array, Array, Array]] = []
    titles = []
    for index in order(judged)[:WORST]:
        sample = dataset[index]
        predicted = next(iter(segmenter.label_maps(sample.images).values()))
        rows.append(
            (
                show(sample.image),
                sample.label,
                predicted if numbers is None else np.array(numbers, np.uint8)[predicted],
            )
        )
        score = Metrics.from_matrix(judged.pictures[index].matrix).mean_iu
        titles.append(f"{sample.name}: mean IU {text(score)}")
    plots.sample_sheet(path, rows, dataset.classes, dataset.colors, titles)


def _text(value: float) -> str:
    return f"{value:.6f}" if math.isfinite(value) else ""
