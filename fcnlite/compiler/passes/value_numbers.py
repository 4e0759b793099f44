"""Value numbering of rows (and of columns): rows with the same number are equal.

A row's number is determined by the layer that computes it and by the numbers of the rows that its window reads:

    rows of the picture with its pad        0 0 0 a b c 0 0 0            0: ZERO, of every row of zeros
    after a convolution of 3 rows           000 00a 0ab abc bc0 c00 000  each triple a number; 000 occurs twice

Numbers are assigned layer by layer, from the picture on, so no size needs a proof of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fcnlite.compiler.convolution import Convolution
from fcnlite.compiler.ir import Operation
from fcnlite.compiler.pooling import MaxPooling
from fcnlite.compiler.problem import Problem
from fcnlite.description.shapes import Window
from fcnlite.layers.base import Array

LEAST_PAD = 8
"""Smaller pads are not elided: they would save too little."""
ZERO = -1
"""The number of a row of zeros."""
OUTSIDE = -2
"""The number of a row that a window reads beyond the first or the last one."""

Axis = int
"""0 for rows, 1 for columns."""
NumberTable = dict[tuple[int, ...], int]
"""The number of a row, by the layer that computes it and the numbers of the rows that it reads."""


def has_wide_pad(problem: Problem) -> bool:
    """Whether the pad is wide enough, on every side, to be worth eliding."""
    return min(each.pad for each in problem.kernel) >= LEAST_PAD


def padded_sources(first: Convolution, axis: Axis) -> Array:
    """The rows of the picture that a convolution reads, including its pad; −1 is a row of zeros."""
    source, window = first.problem.sources[axis], first.problem.kernel[axis]
    pad = np.full(window.pad, -1)
    return np.concatenate([pad, source, pad])


def number_rows(
    operation: Operation, depth: int, axis: Axis, rows: Sequence[int], table: NumberTable, padded: bool = False
) -> list[int]:
    """The numbers of the rows that a convolution (with its pooling) or a pooling computes from rows with these numbers.

    `depth` identifies the operation. With `padded`, its pad is among the rows.
    """
    for part, window in enumerate(windows(operation, axis, padded)):
        size = _window_count(operation, axis, window, part, len(rows))
        rows = [table.setdefault((depth, part, *_numbers_read(rows, window, i)), len(table)) for i in range(size)]
    return list(rows)


def windows(operation: Operation, axis: Axis, padded: bool = False) -> list[Window]:
    """The operation's windows along the axis: that of the convolution, then that of its pooling, if it has one."""
    if isinstance(operation, MaxPooling):
        return [operation.windows[axis]]
    assert isinstance(operation, Convolution)
    window = operation.problem.kernel[axis]
    own = replace(window, pad=0) if padded else window
    return [own, Window(2, 2)] if operation.problem.pool else [own]


def _window_count(operation: Operation, axis: Axis, window: Window, part: int, size: int) -> int:
    """The number of places of a window among `size` rows. Raises `ShapeError` if it fits nowhere."""
    if isinstance(operation, MaxPooling):
        return operation.pooled_along(axis, size)
    return window.convolved(size) if part == 0 else -(-size // 2)


def _numbers_read(rows: Sequence[int], window: Window, i: int) -> list[int]:
    """The numbers of the rows that the window reads at its place i."""
    start = i * window.stride - window.pad
    places = range(start, start + window.extent, window.dilation)
    return [rows[place] if 0 <= place < len(rows) else OUTSIDE for place in places]
