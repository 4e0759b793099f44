"""Value numbering of rows (and of columns): rows with the same number are equal.

A row's number is determined by the layer that computes it and by the numbers of the rows that its window reads:

    rows of the picture with its pad        0 0 0 a b c 0 0 0            0: ZERO, of every row of zeros
    after a convolution of 3 rows           000 00a 0ab abc bc0 c00 000  each triple a number; 000 occurs twice

Numbers are assigned layer by layer, from the picture on, so sizes do not need separate proofs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fcnlite.arrays import Array
from fcnlite.compiler.convolution.operation import ConvolutionOperation
from fcnlite.compiler.convolution.problem import Problem
from fcnlite.compiler.ir import Axis, Operation, SlidingWindow
from fcnlite.description.shapes import Window

LEAST_PAD = 8
"""Smaller pads are not elided: they would save too little."""
ZERO = -1
"""The number of a row of zeros."""
OUTSIDE = -2
"""The number of a row that a window reads beyond the first or the last one."""

NumberTable = dict[tuple[int, ...], int]
"""The number of a row, by the layer that computes it and the numbers of the rows that it reads."""


def has_wide_pad(problem: Problem) -> bool:
    """Whether the pad is wide enough, on every side, to be worth eliding."""
    return min(each.pad for each in problem.windows) >= LEAST_PAD


def padded_sources(first: ConvolutionOperation, axis: Axis) -> Array:
    """The rows of the picture that a convolution reads, including its pad; −1 is a row of zeros."""
    source, window = first.problem.sources[axis], first.problem.windows[axis]
    pad = np.full(window.pad, -1)
    return np.concatenate([pad, source, pad])


def number_rows(
    operation: Operation, depth: int, axis: Axis, rows: Sequence[int], table: NumberTable, padded: bool = False
) -> list[int]:
    """The numbers of the rows that a convolution (with its pooling) or a pooling computes from rows with these numbers.

    `depth` identifies the operation. With `padded`, its pad is among the rows.
    """
    for part, sliding in enumerate(windows(operation, axis, padded)):
        keys = [(depth, part, *_numbers_read(rows, sliding.window, i)) for i in range(sliding.count(len(rows)))]
        rows = [table.setdefault(key, len(table)) for key in keys]
    return list(rows)


def windows(operation: Operation, axis: Axis, padded: bool = False) -> list[SlidingWindow]:
    """The operation's windows along the axis, first to last. With `padded`, the first one's pad is among the rows."""
    found = list(operation.sliding_windows(axis) or ())
    return [found[0].unpadded(), *found[1:]] if padded else found


def _numbers_read(rows: Sequence[int], window: Window, i: int) -> list[int]:
    """The numbers of the rows that the window reads at its place i."""
    start = i * window.stride - window.pad
    places = range(start, start + window.extent, window.dilation)
    return [rows[place] if 0 <= place < len(rows) else OUTSIDE for place in places]
