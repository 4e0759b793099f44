"""The results of a finished run: curves, sample predictions, an overlay, the confusion matrix, the metrics."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fcnlite.data import Dataset
from fcnlite.ranks.communicator import ALONE, Communicator
from fcnlite.segmentation import plots
from fcnlite.segmentation.evaluation import confusion
from fcnlite.segmentation.metrics import Metrics, text
from fcnlite.segmentation.segmenter import Segmenter
from fcnlite.train.run_folder import RunFolder
from fcnlite.train.validation import Score, Scores, predictions


def draw(folder: RunFolder, dataset: Dataset, ranks: Communicator = ALONE) -> np.ndarray:
    """Draw the pictures of a run from its log and its best weights; returns the confusion matrix on `dataset`.

    The overlay shows the picture whose mean IU is the median. Several `ranks` share out the pictures; rank 0 draws.
    """
    segmenter = Segmenter(folder.best)
    scores = Scores(ranks)
    # A run may have resumed under other class names; the best weights may still have the earlier names.
    matrix = confusion(segmenter, dataset, each=scores, classes_by_number=True, ranks=ranks)
    ranked = scores.worst_first()
    if ranks.first:
        _draw(folder, dataset, segmenter, ranked, matrix)
    return matrix


def _draw(
    folder: RunFolder, dataset: Dataset, segmenter: Segmenter, ranked: Sequence[Score], matrix: np.ndarray
) -> None:
    plots.curves(folder.path / "curves.png", folder.read_log())
    shown = predictions(segmenter, dataset, ranked)
    rows = [(each.image, each.truth, each.predicted) for each in shown]
    places = {score.index: f"{place} of {len(ranked)}, worst first" for place, score in enumerate(ranked, start=1)}
    titles = [f"{each.score.name}: mean IU {text(each.score.mean_iu)} ({places[each.score.index]})" for each in shown]
    plots.sample_sheet(folder.path / "samples.png", rows, dataset.classes, dataset.colors, titles)
    middle = next(each for each in shown if each.score.index == ranked[len(ranked) // 2].index)
    tinted = plots.overlay(middle.image, middle.predicted, dataset.classes, dataset.colors)
    picture = plots.with_legend(tinted, middle.predicted, dataset.classes, dataset.colors)
    plots.save_png(folder.path / "overlay.png", picture)
    plots.confusion_matrix(folder.path / "confusion.png", matrix, dataset.classes)


def figures(dataset: Dataset, matrix: np.ndarray) -> str:
    """The IU of each class, the pixel accuracy and the mean IU, one on each line."""
    metrics = Metrics.from_matrix(matrix)
    width = max(map(len, dataset.classes))
    lines = [f"{name:{width}}  IU {text(iu)}" for name, iu in zip(dataset.classes, metrics.iu, strict=True)]
    return "\n".join([*lines, f"pixel accuracy: {text(metrics.pixel_accuracy)}", f"mean IU: {text(metrics.mean_iu)}"])
