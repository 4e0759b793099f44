"""Kinds of rows (and of columns): two are of one kind if they are computed, by the same layer, from rows of the same.

So equal rows are found by numbering kinds, layer by layer, from the zeros of a pad up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fcnlite.arrays import Array
from fcnlite.compiler.convolution import Convolution
from fcnlite.compiler.ir import Operation
from fcnlite.compiler.pooling import MaxPooling
from fcnlite.compiler.problem import Problem
from fcnlite.description.shapes import Window

LEAST_PAD = 8
"""A smaller pad is not worth the trouble."""
ZERO = -1
"""The kind of a row of zeros."""
OUTSIDE = -2
"""Stands for a row that a window reaches beyond the last one."""

Axis = int
"""0 for rows, 1 for columns."""
Numbers = dict[tuple[int, ...], int]
"""A number for every kind, by the layer and the kinds of the rows that it is made of."""


def has_wide_pad(problem: Problem) -> bool:
    return min(each.pad for each in problem.kernel) >= LEAST_PAD


def padded_sources(first: Convolution, axis: Axis) -> Array:
    """The rows of the picture that a convolution sees, its pad among them; −1 is zero."""
    source, window = first.problem.sources[axis], first.problem.kernel[axis]
    pad = np.full(window.pad, -1)
    return np.concatenate([pad, source, pad])


def number(
    operation: Operation, depth: int, axis: Axis, rows: Sequence[int], numbers: Numbers, padded: bool = False
) -> list[int]:
    """The kinds of what a convolution (and pooling), or a pooling, makes of rows of these kinds.

    `depth` tells the operation from others; `padded`: its pad is among the rows.
    """
    for part, window in enumerate(windows(operation, axis, padded)):
        size = _size(operation, axis, window, part, len(rows))
        rows = [numbers.setdefault((depth, part, *_seen(rows, window, i)), len(numbers)) for i in range(size)]
    return list(rows)


def windows(operation: Operation, axis: Axis, padded: bool = False) -> list[Window]:
    """How the operation's windows move along the axis: those of the convolution, then of its pooling."""
    if isinstance(operation, MaxPooling):
        return [operation.windows[axis]]
    assert isinstance(operation, Convolution)
    window = operation.problem.kernel[axis]
    own = replace(window, pad=0) if padded else window
    return [own, Window(2, 2)] if operation.problem.pool else [own]


def _size(operation: Operation, axis: Axis, window: Window, part: int, size: int) -> int:
    """How many windows there are. Raises `ShapeError` where none fits."""
    if isinstance(operation, MaxPooling):
        return operation.pooled_along(axis, size)
    return window.convolved(size) if part == 0 else -(-size // 2)


def _seen(rows: Sequence[int], window: Window, i: int) -> list[int]:
    """The kinds that window i sees."""
    start = i * window.stride - window.pad
    places = range(start, start + window.extent, window.dilation)
    return [rows[place] if 0 <= place < len(rows) else OUTSIDE for place in places]
