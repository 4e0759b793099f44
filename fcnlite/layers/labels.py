"""Labels for scores: what SoftmaxWithLoss, InfogainLoss and Accuracy share.

Scores have their classes on one axis. The label blob has one value for each position on the other axes, as N×H×W,
N×1×H×W or N: integers, or floats with integral values.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.description.shapes import show
from fcnlite.errors import DataError, ShapeError
from fcnlite.layers.base import canonical_axis

Labels = np.ndarray[Any, np.dtype[np.int64]]


def check_label_shape(scores: Shape, label: Shape, axis: int) -> int:
    """The class axis, counted from the front. Raises `ShapeError` unless there is one label for each position."""
    axis = canonical_axis(axis, len(scores))
    positions = scores[:axis] + scores[axis + 1 :]
    squeezed = tuple(size for size in label if size != 1)
    if squeezed != tuple(size for size in positions if size != 1):
        raise ShapeError(
            f"labels of shape {show(label)} do not fit scores of shape {show(scores)}; "
            f"expected one label for each of the {show(positions)} positions"
        )
    return axis


def check_picture_labels(scores: Shape, label: Shape) -> None:
    """Raise `ShapeError` unless there is one label for each picture, whose other values are scores of classes."""
    if not scores or prod(label) != scores[0]:
        raise ShapeError(
            f"labels of shape {show(label)} do not fit scores of shape {show(scores)}; expected one label for each of "
            "the pictures"
        )


def read_labels(label: Array, scores: Shape, axis: int, ignore_label: int | None) -> tuple[Labels, Array]:
    """`label` as class numbers in the shape of `scores` with 1 on the class axis, and a mask of the counted positions.

    Ignored positions hold class 0 and False. Raises `DataError` for a value that is neither a class nor ignored.
    """
    shape = (*scores[:axis], 1, *scores[axis + 1 :])
    values = label.reshape(shape)
    counted = np.ones(shape, bool) if ignore_label is None else values != ignore_label
    classes = scores[axis]
    wrong = counted & ~((values >= 0) & (values < classes))
    if values.dtype.kind == "f":
        wrong |= counted & (values != np.trunc(values))
    if wrong.any():
        ignored = "no label is ignored" if ignore_label is None else f"only {ignore_label} is ignored"
        found = ", ".join(f"{value:g}" for value in np.unique(values[wrong])[:5])
        raise DataError(
            f"the labels hold {found} at {np.count_nonzero(wrong)} of {prod(shape)} positions, "
            f"but there are {classes} classes, 0 to {classes - 1}, and {ignored}; "
            "map void to the ignored value or raise the number of classes"
        )
    return np.where(counted, values, 0).astype(np.int64), counted
