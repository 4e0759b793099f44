"""Kinds of rows (and of columns): two are of one kind if they are computed, by the same layer, from rows of the same.

So equal rows are found by numbering kinds, layer by layer, from the zeros of a pad up.
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
"""A smaller pad is not worth the trouble."""
ZERO = -1
"""The kind of a row of zeros."""
OUTSIDE = -2
"""Stands for a row that a window reaches beyond the last one."""

NumberTable = dict[tuple[int, ...], int]
"""A number for every kind, by the layer and the kinds of the rows that it is made of."""


def has_wide_pad(problem: Problem) -> bool:
    return min(each.pad for each in problem.windows) >= LEAST_PAD


def padded_sources(first: ConvolutionOperation, axis: Axis) -> Array:
    """The rows of the picture that a convolution sees, its pad among them; −1 is zero."""
    source, window = first.problem.sources[axis], first.problem.windows[axis]
    pad = np.full(window.pad, -1)
    return np.concatenate([pad, source, pad])


def number_rows(
    operation: Operation, depth: int, axis: Axis, rows: Sequence[int], table: NumberTable, padded: bool = False
) -> list[int]:
    """The kinds of what a convolution (and pooling), or a pooling, makes of rows of these kinds.

    `depth` tells the operation from others; `padded`: its pad is among the rows.
    """
    for part, sliding in enumerate(windows(operation, axis, padded)):
        keys = [(depth, part, *_numbers_read(rows, sliding.window, i)) for i in range(sliding.count(len(rows)))]
        rows = [table.setdefault(key, len(table)) for key in keys]
    return list(rows)


def windows(operation: Operation, axis: Axis, padded: bool = False) -> list[SlidingWindow]:
    """The windows of an operation along the axis, first to last. `padded`: the first one's pad is among the rows."""
    found = list(operation.sliding_windows(axis) or ())
    return [found[0].unpadded(), *found[1:]] if padded else found


def _numbers_read(rows: Sequence[int], window: Window, i: int) -> list[int]:
    """The kinds that window i sees."""
    start = i * window.stride - window.pad
    places = range(start, start + window.extent, window.dilation)
    return [rows[place] if 0 <= place < len(rows) else OUTSIDE for place in places]
