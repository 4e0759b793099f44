"""Exercise 1: the patches of a picture as columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fcnlite.arrays import Array
from fcnlite.exercise.checks.cases import Case, geometry, integers, random_cases
from fcnlite.exercise.comparing import Mistakes, check_dtype, check_lines, compare
from fcnlite.exercise.exercise import Exercise
from fcnlite.exercise.student import Student
from fcnlite.layers.columns import columns

HINT = """\
Loop over the window, not over the picture: for one channel, row `kh` and column `kw` of the window, the values of
*all* patches are one slice of the padded picture. It begins at `[kh, kw]`, takes every `stride`-th pixel, and has
H'×W' values. That slice, made flat, is one row of the result. So there are C·KH·KW assignments, however large the
picture is."""


def expected(x: Array, kernel_size: int, stride: int, pad: int) -> Array:
    """The engine's patches."""
    window = geometry(kernel_size, stride, pad)
    positions = window.rows.convolved(x.shape[1]) * window.columns.convolved(x.shape[2])
    return columns(np.ascontiguousarray(x), window, (0, positions))[0].copy()


def mistakes(x: Array, kernel_size: int, stride: int, pad: int) -> Mistakes:
    """What typical mistakes compute."""
    right = expected(x, kernel_size, stride, pad)
    channels, taps = x.shape[0], kernel_size
    height, width = ((side + 2 * pad - kernel_size) // stride + 1 for side in x.shape[1:])
    dense = expected(x, kernel_size, 1, pad).reshape(len(right), x.shape[1] + 2 * pad - kernel_size + 1, -1)
    by_tap = right.reshape(channels, taps, taps, -1)
    # The ceiling's last window reaches beyond the pad.
    longer = [side if (side + 2 * pad - taps) % stride == 0 else side + stride for side in x.shape[1:]]
    more = [after - before for before, after in zip(x.shape[1:], longer, strict=True)]
    return {
        "This is the transpose: each patch is a row, but it must be a column.": lambda: right.T,
        "The rows are in the order column, row of the window (kw before kh); kh comes first.": lambda: by_tap.transpose(
            0, 2, 1, 3
        ).reshape(right.shape),
        "The channel changes fastest here; it must change slowest: all taps of channel 0, then all of channel 1.": (
            lambda: by_tap.transpose(1, 2, 0, 3).reshape(right.shape)
        ),
        "The patches run down the columns of the picture; they must run along its rows, as text does.": lambda: (
            right.reshape(len(right), height, -1).transpose(0, 2, 1).reshape(right.shape)
        ),
        "The window is turned by 180°: the first row must hold the window's first pixel, top left.": lambda: by_tap[
            :, ::-1, ::-1
        ].reshape(right.shape),
        "The values are reshaped across their order: .reshape(positions, …).T mixes the patches; reshape to the shape "
        "of the result.": lambda: right.reshape(right.shape[::-1]).T,
        "Rows and columns are exchanged: the result has C·KH·KW rows and H'·W' columns.": lambda: right.reshape(
            right.shape[::-1]
        ),
        "W' has the value of H': compute it from the width.": lambda: right.reshape(len(right), height, -1)[
            :, :, :height
        ].reshape(len(right), -1),
        "Every slice ends too early, and one value fills a whole row: it ends at kh + stride · H', not at kh + H'.": (
            lambda: np.repeat(by_tap[..., :1], height * width, -1).reshape(right.shape)
        ),
        "The pad is missing: put `pad` zeros on each side first.": lambda: expected(x, kernel_size, stride, 0),
        "The pad is on one side only: zeros belong before and after.": lambda: expected(
            np.pad(x, ((0, 0), (pad, 0), (pad, 0))), kernel_size, stride, 0
        ),
        "The pad repeats the picture's edge; convolution pads with zeros.": lambda: expected(
            np.pad(x, ((0, 0), (pad, pad), (pad, pad)), mode="edge"), kernel_size, stride, 0
        ),
        "np.pad(x, pad) pads the channels too; pad only the rows and columns: ((0, 0), (pad, pad), (pad, pad)).": (
            lambda: expected(np.pad(x, pad), kernel_size, stride, 0)
        ),
        "The first channels are zeros: np.pad(x, pad) pads the channels too; they need (0, 0).": lambda: expected(
            np.pad(x, pad)[:channels], kernel_size, stride, 0
        ),
        "The stride is ignored.": lambda: expected(x, kernel_size, 1, pad),
        "The stride is missing in the slices; take every stride-th pixel: [start : stop : stride].": lambda: dense[
            :, :height, :width
        ].reshape(right.shape),
        "The number of positions is rounded up; a convolution rounds down (⌊…⌋), so that every window is inside.": (
            lambda: expected(np.pad(x, ((0, 0), (0, more[0]), (0, more[1]))), kernel_size, stride, pad)
        ),
        "The slices end too early: with a stride, a slice of H' values ends at kh + stride · H', not at kh + H'.": (
            lambda: dense[:, :height:stride, :width:stride].reshape(len(right), -1)
        ),
        "One position is missing at the end: H' = ⌊(H + 2·pad − kernel_size)/stride⌋ + 1, and the + 1 counts.": (
            lambda: _cropped(right, height, 1)
        ),
    }


def _cropped(cols: Array, height: int, count: int) -> Array:
    """Without the last positions of each axis."""
    grid = cols.reshape(len(cols), height, -1)[:, : height - count, :-count]
    return grid.reshape(len(cols), -1)


def _cases(*cases: Case) -> Callable[[Student], None]:
    """A check of several cases, smallest first."""

    def check(student: Student) -> None:
        for seed, (shape, *window) in enumerate(cases):
            _one(student, integers(seed, *shape), window)

    return check


def _one(student: Student, x: Array, window: Sequence[int]) -> Any:
    kernel_size, stride, pad = window
    call = student.call("im2col", x=x, kernel_size=kernel_size, stride=stride, pad=pad)
    compare(call, call.result, expected(x, *window), mistakes(x, *window))
    return call


def _example(student: Student) -> None:
    _one(student, np.arange(1, 13, dtype=np.float32).reshape(1, 3, 4), (2, 1, 0))


def _random(student: Student) -> None:
    _cases(*random_cases(0, (3, 9, 9, 4, 3, 3)))(student)


def _dtype(student: Student) -> None:
    for dtype in (np.float32, np.float64):
        call = student.call("im2col", x=integers(0, 2, 4, 5, dtype=dtype), kernel_size=3, stride=1, pad=1)
        check_dtype(call, call.result, dtype)


def _loops(student: Student) -> None:
    call = _one(student, integers(0, 2, 40, 50), (3, 1, 1))
    check_lines(call, 1000, "Loop over the taps of the window (here 18 with the channels), not over its positions.")


EXERCISE = Exercise(
    "im2col",
    "im2col: patches as columns",
    ("im2col",),
    {
        "the example of the page": _example,
        "pictures that are not square": _cases(((1, 2, 3), 2, 1, 0), ((1, 3, 5), 2, 1, 0), ((1, 5, 3), 3, 1, 0)),
        "several channels": _cases(((2, 2, 2), 1, 1, 0), ((2, 2, 3), 2, 1, 0), ((3, 4, 5), 3, 1, 0)),
        "stride": _cases(((1, 4, 4), 2, 2, 0), ((1, 4, 5), 2, 2, 0), ((2, 5, 7), 3, 3, 0)),
        "pad": _cases(((1, 1, 1), 3, 1, 1), ((1, 2, 3), 3, 1, 1), ((2, 3, 4), 2, 2, 2)),
        "30 random cases": _random,
        "float32 stays float32, float64 float64": _dtype,
        "no loop over the pixels": _loops,
    },
    HINT,
)
