"""Exercise 2: the transpose of im2col."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fcnlite._kernels.products import im2col as kernels
from fcnlite.arrays import Array
from fcnlite.exercise.checks import im2col
from fcnlite.exercise.checks.cases import Case, geometry, integers, random_cases
from fcnlite.exercise.comparing import Mistakes, check_dtype, check_lines, compare
from fcnlite.exercise.exercise import Exercise
from fcnlite.exercise.student import Student, WrongError

HINT = """\
Turn exercise 1 around. There, for each tap of the window, a slice of the padded picture became a row of the matrix:
`row = padded[slice]`. Here the row goes back to the same slice, and is *added* to it: `padded[slice] += row`. Begin
with a padded picture of zeros, and cut the pad off at the end."""

Shape = tuple[int, int, int]


def expected(cols: Array, shape: Shape, kernel_size: int, stride: int, pad: int) -> Array:
    """The engine's sum."""
    window = geometry(kernel_size, stride, pad)
    x = np.zeros(shape, cols.dtype)
    kernels.col2im(x, np.ascontiguousarray(cols), *window.arguments(shape[2]), 0, cols.shape[1])
    return x


def mistakes(cols: Array, shape: Shape, kernel_size: int, stride: int, pad: int) -> Mistakes:
    """What typical mistakes compute."""
    channels, height, width = shape
    rows, columns = ((side + 2 * pad - kernel_size) // stride + 1 for side in (height, width))
    by_tap = cols.reshape(channels, kernel_size, kernel_size, rows, columns)

    def summed(taps: Array, add: bool = True, step: int = stride) -> Array:
        padded = np.zeros((channels, height + 2 * pad, width + 2 * pad), cols.dtype)
        for kh, kw in np.ndindex(kernel_size, kernel_size):
            part = padded[:, kh : kh + step * rows : step, kw : kw + step * columns : step]
            part[...] = part + taps[:, kh, kw] if add else taps[:, kh, kw]
        return padded

    def cut(padded: Array) -> Array:
        return padded[:, pad : pad + height, pad : pad + width]

    def averaged() -> Array:
        counts = expected(np.ones_like(cols), shape, kernel_size, stride, pad)
        return expected(cols, shape, kernel_size, stride, pad) / np.maximum(counts, 1)

    return {
        "Values are overwritten where windows overlap; they must be added (+=).": lambda: cut(summed(by_tap, False)),
        "The pad is still there; cut `pad` rows and columns off each side.": lambda: summed(by_tap),
        "Too short: the padded picture has H + 2·pad rows, and x is its rows pad : pad + height.": lambda: summed(
            by_tap
        )[:, pad:height, pad:width],
        "The channel is read as if it changed fastest; in the matrix it changes slowest.": lambda: cut(
            summed(cols.reshape(kernel_size, kernel_size, channels, rows, columns).transpose(2, 0, 1, 3, 4))
        ),
        "The columns are read down the picture; they run along its rows.": lambda: cut(
            summed(cols.reshape(channels, kernel_size, kernel_size, columns, rows).transpose(0, 1, 2, 4, 3))
        ),
        "The matrix is read as if each row were a patch; each column is one.": lambda: cut(
            summed(cols.T.reshape(channels, kernel_size, kernel_size, rows, columns))
        ),
        "The values are subtracted; they are added.": lambda: -cut(summed(by_tap)),
        "The pad is cut off at the end only; the first `pad` rows and columns must go too.": lambda: summed(by_tap)[
            :, :height, :width
        ],
        "Nothing is left: with pad 0 the slice pad:-pad is empty; write pad : pad + height.": lambda: summed(by_tap)[
            :, pad:-pad, pad:-pad
        ],
        "The stride is missing in the slices; take every stride-th pixel: [start : stop : stride].": lambda: cut(
            summed(by_tap, step=1)
        ),
        "This is the mean where windows overlap; the transpose is a plain sum.": averaged,
        "The window is turned by 180°; a value goes back to the pixel that im2col took it from.": lambda: cut(
            summed(by_tap[:, ::-1, ::-1])
        ),
        "The rows of the matrix are read in the order kw, kh; kh comes first, as in im2col.": lambda: cut(
            summed(cols.reshape(channels, kernel_size, kernel_size, rows, columns).transpose(0, 2, 1, 3, 4))
        ),
    }


def _cases(*cases: Case) -> Callable[[Student], None]:
    def check(student: Student) -> None:
        for seed, (shape, *window) in enumerate(cases):
            _one(student, integers(seed, *im2col.expected(np.zeros(shape), *window).shape), shape, *window)

    return check


def _one(student: Student, cols: Array, shape: Shape, kernel_size: int, stride: int, pad: int) -> Any:
    call = student.call("col2im", cols=cols, shape=shape, kernel_size=kernel_size, stride=stride, pad=pad)
    arguments = (cols, shape, kernel_size, stride, pad)
    compare(call, call.result, expected(*arguments), mistakes(*arguments))
    return call


def _example(student: Student) -> None:
    _one(student, np.ones((4, 4), np.float32), (1, 3, 3), 2, 1, 0)


def _adjoint(student: Student) -> None:
    """⟨im2col(x), cols⟩ = ⟨x, col2im(cols)⟩, which defines the transpose."""
    for seed, (shape, *window) in enumerate((((1, 3, 4), 2, 1, 0), ((2, 5, 6), 3, 2, 1))):
        x = integers(seed, *shape, dtype=np.float64)
        patches = im2col.expected(x, *window)
        cols = integers(seed + 1, *patches.shape, dtype=np.float64)
        kernel_size, stride, pad = window
        call = student.call("col2im", cols=cols, shape=shape, kernel_size=kernel_size, stride=stride, pad=pad)
        left, right = float(np.sum(patches * cols)), float(np.sum(x * np.asarray(call.result)))
        if not np.isclose(left, right):
            raise WrongError(f"Σ im2col(x) · cols is {left:g}, but Σ x · col2im(cols) is {right:g}.\n{call}")


def _random(student: Student) -> None:
    _cases(*random_cases(1, (3, 8, 8, 4, 4, 3)))(student)


def _dtype(student: Student) -> None:
    for dtype in (np.float32, np.float64):
        call = student.call(
            "col2im", cols=integers(0, 9, 20, dtype=dtype), shape=(1, 4, 5), kernel_size=3, stride=1, pad=1
        )
        check_dtype(call, call.result, dtype)


def _loops(student: Student) -> None:
    call = _one(student, integers(0, 18, 2000), (2, 40, 50), 3, 1, 1)
    check_lines(call, 1000, "Loop over the taps of the window (here 18 with the channels), not over its positions.")


EXERCISE = Exercise(
    "col2im",
    "col2im: the transpose of im2col",
    ("col2im",),
    {
        "the example of the page": _example,
        "windows that do not overlap": _cases(((1, 2, 2), 2, 2, 0), ((1, 4, 6), 2, 2, 0)),
        "pixels that no window reads": _cases(((1, 2, 3), 1, 2, 0), ((1, 5, 5), 2, 2, 0), ((2, 5, 7), 2, 3, 0)),
        "windows that overlap": _cases(((1, 3, 4), 2, 1, 0), ((2, 4, 5), 3, 1, 0)),
        "pad": _cases(((1, 1, 1), 3, 1, 1), ((1, 2, 3), 3, 1, 1), ((2, 3, 4), 2, 2, 2)),
        "it is the transpose of im2col": _adjoint,
        "30 random cases": _random,
        "float32 stays float32, float64 float64": _dtype,
        "no loop over the pixels": _loops,
    },
    HINT,
)
