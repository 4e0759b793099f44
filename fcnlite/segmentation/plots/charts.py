"""Draws training curves and confusion matrices with matplotlib."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fcnlite.arrays import Array
from fcnlite.description.shapes import show
from fcnlite.errors import DataError
from fcnlite.files import atomic_write
from fcnlite.segmentation.plots.colors import class_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_NUMBERED = 40
"""Classes: the cells of larger confusion matrices are too small for numbers."""


def curves(path: str | os.PathLike[str], log: Mapping[str, Sequence[float | None]]) -> None:
    """Draw a training log: the loss, raw and smoothed, and the mean IU on the validation set.

    `log` has columns of one length: `iteration`, `loss`, and `mean_iu`, which is None or NaN in rows without
    validation. Other columns are ignored.
    """
    from matplotlib.figure import Figure

    iteration, loss, mean_iu = (np.array(log[name], dtype=float) for name in ("iteration", "loss", "mean_iu"))
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    known = np.isfinite(loss)
    left.plot(iteration[known], loss[known], color="#a9c4e4", linewidth=0.8, label="as logged")
    left.plot(iteration[known], smoothed(loss[known]), color="#1f5fa8", linewidth=1.8, label="smoothed")
    left.set(title="Training loss", xlabel="iteration", ylabel="loss")
    left.set_ylim(bottom=0)
    known = np.isfinite(mean_iu)
    if known.any():
        best = np.flatnonzero(known)[np.argmax(mean_iu[known])]
        right.plot(iteration[known], mean_iu[known], color="#b3541e", linewidth=1.8, marker="o", markersize=4)
        right.axhline(
            mean_iu[best],
            color="#888888",
            linewidth=0.8,
            linestyle="--",
            label=f"best: {mean_iu[best]:.3f} at iteration {iteration[best]:.0f}",
        )
        right.legend(frameon=False, loc="lower right")
    else:
        right.text(0.5, 0.5, "no validation yet", transform=right.transAxes, ha="center", color="#888888")
    right.set(title="Validation mean IU", xlabel="iteration", ylabel="mean IU", ylim=(0, 1))
    left.legend(frameon=False)
    for axes in (left, right):
        axes.grid(color="#e4e4e4", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        if len(iteration):
            axes.set_xlim(0, 1.02 * iteration.max())
    _save_figure(path, figure)


def confusion_matrix(path: str | os.PathLike[str], matrix: Array, classes: Sequence[str]) -> None:
    """Draw a confusion matrix as a heat map: each row is a true class, in percent of its pixels.

    `matrix`, classes×classes: `matrix[t, p]` counts the pixels of class t that were predicted as class p. Classes
    without pixels have a gray row. Percentages below one half are not written, and neither are any in matrices of more
    than 40 classes. Raises `DataError` for another shape.
    """
    from matplotlib.figure import Figure

    count = len(matrix)
    if matrix.shape != (count, count) or count == 0:
        raise DataError(f"confusion matrix: found {show(matrix.shape)} {matrix.dtype}; expected classes × classes.")
    totals = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(100.0 * matrix, totals, out=np.full(matrix.shape, np.nan), where=totals > 0)
    names = [class_name(classes, label) for label in range(count)]
    side = max(4.5, min(0.52 * count + 2.5, 22))
    figure = Figure(figsize=(side + 1, side), layout="compressed")
    axes = figure.subplots()
    axes.set_facecolor("#dddddd")
    picture = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    figure.colorbar(picture, ax=axes, shrink=0.8, label="% of the true class's pixels")
    axes.set(title="Confusion matrix", xlabel="predicted class", ylabel="true class")
    axes.set_xticks(range(count), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(count), names)
    # Names with dollar signs are not formulas.
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        label.set_parse_math(False)
    axes.set_xticks(np.arange(count + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(count + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=0.8)
    axes.tick_params(which="both", length=0)
    for row, column in np.argwhere(shares >= 0.5) if count <= _MOST_NUMBERED else ():
        share = shares[row, column]
        color = "white" if share > 55 else "#222222"
        axes.text(column, row, f"{share:.0f}", ha="center", va="center", color=color)
    _save_figure(path, figure)


def smoothed(values: Array) -> Array:
    """The moving average of `values`, of the same shape (N), over a fiftieth of their number on each side."""
    reach = len(values) // 50
    sums = np.concatenate([[0.0], np.cumsum(values)])
    index = np.arange(len(values))
    first, last = np.maximum(index - reach, 0), np.minimum(index + reach + 1, len(values))
    return (sums[last] - sums[first]) / (last - first)


def _save_figure(path: str | os.PathLike[str], figure: Figure) -> None:
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
