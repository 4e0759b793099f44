"""What a finished run shows: curves, sample predictions, an overlay, the confusion matrix, the figures."""

from __future__ import annotations

import numpy as np

from fcnlite import plots
from fcnlite.data import Dataset
from fcnlite.evaluation import confusion
from fcnlite.metrics import Metrics, text
from fcnlite.segmenter import Segmenter
from fcnlite.train.run_folder import RunFolder
from fcnlite.train.watching import predictions


def draw(folder: RunFolder, dataset: Dataset) -> np.ndarray:
    """Draw the pictures of a run from its log and its best weights; returns the confusion matrix on `dataset`."""
    segmenter = Segmenter(folder.best)
    plots.curves(folder.path / "curves.png", folder.read_log())
    rows = predictions(segmenter, dataset)
    plots.sample_sheet(folder.path / "samples.png", rows, dataset.classes, dataset.colors)
    image, _, labels = rows[0]
    tinted = plots.overlay(image, labels, dataset.classes, dataset.colors)
    picture = plots.with_legend(tinted, labels, dataset.classes, dataset.colors)
    plots.save_png(folder.path / "overlay.png", picture)
    # Of a run that went on under other class names, the best weights may have the names from before.
    matrix = confusion(segmenter, dataset, classes_by_number=True)
    plots.confusion_matrix(folder.path / "confusion.png", matrix, dataset.classes)
    return matrix


def figures(dataset: Dataset, matrix: np.ndarray) -> str:
    """The IU of each class, and the mean on a line of its own."""
    metrics = Metrics.from_matrix(matrix)
    width = max(map(len, dataset.classes))
    lines = [f"{name:{width}}  IU {text(iu)}" for name, iu in zip(dataset.classes, metrics.iu, strict=True)]
    return "\n".join([*lines, f"pixel accuracy: {text(metrics.pixel_accuracy)}", f"mean IU: {text(metrics.mean_iu)}"])
