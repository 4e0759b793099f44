"""Exercise 3: max pooling, and the mask that brings gradients back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fcnlite.arrays import Array
from fcnlite.exercise.checks.cases import integers
from fcnlite.exercise.comparing import Mistakes, check_dtype, check_lines, check_places, compare, pair
from fcnlite.exercise.exercise import Exercise
from fcnlite.exercise.student import Student
from fcnlite.layers import apply

HINT = """\
Forward: begin with y = −∞ and a mask of −1. For each tap (kh, kw) of the window, take the slice of x that this tap
sees, as in exercise 1. Where it is larger than y (`>`, not `>=`, so that the first of equal values stays), write
the value and its position. The last windows reach beyond x; there the slice is shorter than y, so compare with the
same part of y only.

Backward: `np.add.at(flat, mask, dy)` adds where the same position occurs twice; `flat[mask] += dy` adds only once."""


def expected(x: Array, kernel_size: int, stride: int) -> tuple[Array, Array, Callable[[Array], Array]]:
    """The engine's top and mask, C×H'×W', and its backward."""
    pool = apply("Pooling", x[None], tops=2, kernel_size=kernel_size, stride=stride)
    y, mask = pool.tops
    return y[0], mask[0].astype(np.int64), lambda dy: np.asarray(pool.backward(dy[None], np.zeros_like(mask))[0])[0]


def _patches(x: Array, kernel_size: int, stride: int, fill: float, rows: int, columns: int) -> Array:
    """C × H' × W' × (KH·KW) values, with `fill` beyond the picture."""
    height, width = (stride * (count - 1) + kernel_size for count in (rows, columns))
    more = [(0, 0), (0, max(0, height - x.shape[1])), (0, max(0, width - x.shape[2]))]
    x = np.pad(x, more, constant_values=fill)
    windows = np.lib.stride_tricks.sliding_window_view(x, (kernel_size, kernel_size), (1, 2))
    windows = windows[:, : stride * rows : stride, : stride * columns : stride]
    return windows.reshape(*windows.shape[:3], -1)


def _positions(x: Array, kernel_size: int, stride: int, rows: int, columns: int) -> Array:
    """The position in the plane of each value of `_patches`; −1 beyond the picture."""
    plane = np.arange(x.shape[1] * x.shape[2]).reshape(1, *x.shape[1:])
    return _patches(np.broadcast_to(plane, x.shape), kernel_size, stride, -1, rows, columns)


def top_mistakes(x: Array, kernel_size: int, stride: int) -> Mistakes:
    """What typical mistakes compute as y."""
    right = expected(x, kernel_size, stride)[0]
    rows, columns = right.shape[1:]
    return {
        "H' and W' are rounded down (floor), but Caffe's pooling rounds up (ceil): the last windows may reach beyond "
        "the picture.": lambda: right[
            :, : (x.shape[1] - kernel_size) // stride + 1, : (x.shape[2] - kernel_size) // stride + 1
        ],
        "Zeros beyond the picture take part in the maximum; only pixels of the picture may.": lambda: _patches(
            x, kernel_size, stride, 0, rows, columns
        ).max(-1),
        "This is the mask; return y first, then the mask.": lambda: expected(x, kernel_size, stride)[1],
        "y begins at −1, so values below it never win; begin with −np.inf.": lambda: np.maximum(right, -1),
        "H' is used for both; W' follows from the width.": lambda: right[:, :, : right.shape[1]],
        "This is the mean of each window; expected the maximum.": lambda: np.nanmean(
            _patches(x, kernel_size, stride, np.nan, rows, columns), -1
        ),
        "This is the minimum of each window; expected the maximum.": lambda: _patches(
            x, kernel_size, stride, np.inf, rows, columns
        ).min(-1),
        "y begins at 0, so negative values never win; begin with −np.inf.": lambda: np.maximum(right, 0),
        "This is the maximum of its absolute values; the sign counts.": lambda: np.abs(
            _patches(x, kernel_size, stride, 0, rows, columns)
        ).max(-1),
    }


def mask_mistakes(x: Array, kernel_size: int, stride: int) -> Mistakes:
    """What typical mistakes compute as the mask."""
    right = expected(x, kernel_size, stride)[1]
    rows, columns = right.shape[1:]
    values = _patches(x, kernel_size, stride, -np.inf, rows, columns)
    places = _positions(x, kernel_size, stride, rows, columns)
    last = values.shape[-1] - 1 - values[..., ::-1].argmax(-1)
    height, width = x.shape[1:]
    return {
        "The mask is still −1 where no value is larger than the first y: begin with −np.inf, not 0.": lambda: np.where(
            values.max(-1) > 0, right, -1
        ),
        "The mask is still −1 where the window's first pixel is the largest: y begins with that pixel, and nothing is "
        "larger. Begin y with −np.inf.": lambda: np.where(values.argmax(-1) == 0, -1, right),
        "The mask begins at 1; row · W + column of the first pixel is 0.": lambda: right + 1,
        "These are rows; a place is row · W + column.": lambda: right // width,
        "These are columns; a place is row · W + column.": lambda: right % width,
        "This takes the last of equal maxima; expected the first (use >, not >=).": lambda: np.take_along_axis(
            places, last[..., None], -1
        )[..., 0],
        "These are places in the window; expected places in the plane, row · W + column.": lambda: values.argmax(-1),
        "These are row · H + column; a row has W pixels, so row · W + column.": lambda: (
            right // width * height + right % width
        ),
        "These are column · H + row; expected row · W + column.": lambda: right % width * height + right // width,
        "These count the channels too; each plane begins at 0.": lambda: (
            right + height * width * np.arange(len(x))[:, None, None]
        ),
        "W' is used for the row's length; the mask counts pixels of x: row · W + column.": lambda: (
            right // width * columns + right % width
        ),
    }


def backward_mistakes(dy: Array, mask: Array, shape: tuple[int, ...], backward: Callable[[Array], Array]) -> Mistakes:
    """What typical mistakes compute as dx."""

    def first_plane() -> Array:
        dx = np.zeros(shape[0] * shape[1] * shape[2], dy.dtype)
        np.add.at(dx, mask.ravel(), dy.ravel())
        return dx.reshape(shape)

    def assigned(add: bool) -> Array:
        dx = np.zeros((len(mask), shape[1] * shape[2]), dy.dtype)
        for plane, places, values in zip(dx, mask, dy, strict=True):
            plane[places.ravel()] = values.ravel() + (plane[places.ravel()] if add else 0)
        return dx.reshape(shape)

    return {
        "A pixel that won in several windows keeps only one of their gradients; they must be added (`flat[mask] += dy` "
        "adds once; np.add.at adds each).": lambda: assigned(True),
        "The pixel that won gets 1; it gets the gradient of the output that it won.": lambda: np.sign(
            backward(np.ones_like(dy))
        ),
        "The pixel that won gets the number of its windows; it gets the sum of their gradients.": lambda: backward(
            np.ones_like(dy)
        ),
        "All channels go into the first; the mask counts the places of each plane from 0.": first_plane,
    }


def _cases(*cases: tuple[tuple[int, int, int], int, int]) -> Callable[[Student], None]:
    def check(student: Student) -> None:
        for seed, (shape, *window) in enumerate(cases):
            _one(student, integers(seed, *shape), *window)

    return check


def _one(student: Student, x: Array, kernel_size: int, stride: int) -> Any:
    call = student.call("max_pool", x=x, kernel_size=kernel_size, stride=stride)
    y, mask = pair(call, ("y", "mask"))
    right_y, right_mask, _ = expected(x, kernel_size, stride)
    sentence = "kernel_size is missing in the number of windows: H' = ⌈(H − kernel_size) / stride⌉ + 1."
    shapes = {sentence: (len(x), -(-x.shape[1] // stride), -(-x.shape[2] // stride))}
    compare(call, y, right_y, top_mistakes(x, kernel_size, stride), "y", shapes)
    compare(call, mask, right_mask, mask_mistakes(x, kernel_size, stride), "mask")
    check_places(call, mask, "mask")
    return call


def _back(student: Student, shape: tuple[int, int, int], kernel_size: int, stride: int, seed: int) -> Any:
    x = integers(seed, *shape)
    y, mask, backward = expected(x, kernel_size, stride)
    dy = integers(seed + 1, *y.shape)
    call = student.call("max_pool_backward", dy=dy, mask=mask, shape=shape)
    compare(call, call.result, backward(dy), backward_mistakes(dy, mask, shape, backward), "dx")
    return call


def _example(student: Student) -> None:
    x = np.array([[[1, 3, 2, 4], [5, 0, 1, 2], [7, 1, 3, 3], [2, 6, 3, 1]]], np.float32)
    _one(student, x, 2, 2)


def _ties(student: Student) -> None:
    _one(student, np.zeros((1, 2, 2), np.float32), 2, 2)
    for seed in range(3):
        _one(student, integers(seed, 1, 4, 6) // 5, 2, 2)


def _negative(student: Student) -> None:
    for seed, (height, width) in enumerate(((3, 3), (3, 4), (5, 3))):
        _one(student, -1 - np.abs(integers(seed, 1, height, width)), 2, 2)


def _backward(student: Student) -> None:
    _back(student, (1, 2, 2), 2, 2, 0)
    _back(student, (1, 4, 6), 2, 2, 1)
    _back(student, (2, 5, 7), 2, 2, 2)


def _overlap(student: Student) -> None:
    for seed, shape in enumerate(((1, 3, 3), (1, 4, 5), (2, 6, 7))):
        _back(student, shape, 3, 1, seed)
        _back(student, shape, 3, 2, seed)


def _random(student: Student) -> None:
    rng = np.random.default_rng(2)
    cases: list[tuple[tuple[int, int, int], int, int]] = []
    while len(cases) < 30:
        channels, height, width, kernel, stride = (int(rng.integers(1, most + 1)) for most in (3, 9, 9, 4, 4))
        if stride <= kernel <= min(height, width):
            cases.append(((channels, height, width), kernel, stride))
    cases.sort(key=lambda case: np.prod(case[0]))
    _cases(*cases)(student)
    for seed, case in enumerate(cases):
        _back(student, *case, seed)


def _dtype(student: Student) -> None:
    for dtype in (np.float32, np.float64):
        call = student.call("max_pool", x=integers(0, 1, 4, 5, dtype=dtype), kernel_size=2, stride=2)
        check_dtype(call, pair(call, ("y", "mask"))[0], dtype, "y")
        _, mask, _ = expected(integers(0, 1, 4, 5), 2, 2)
        call = student.call("max_pool_backward", dy=np.ones((1, 2, 3), dtype), mask=mask, shape=(1, 4, 5))
        check_dtype(call, call.result, dtype, "dx")


def _loops(student: Student) -> None:
    call = _one(student, integers(0, 2, 60, 70), 3, 2)
    check_lines(call, 1000, "Loop over the taps of the window (here 9), not over its positions.")
    call = _back(student, (2, 60, 70), 3, 2, 0)
    check_lines(call, 1000, "np.add.at adds all gradients of a plane at once.")


EXERCISE = Exercise(
    "pooling",
    "max pooling and its mask",
    ("max_pool", "max_pool_backward"),
    {
        "the example of the page": _example,
        "pictures that are not square": _cases(((1, 2, 4), 2, 2), ((1, 4, 2), 2, 2), ((2, 2, 6), 2, 2)),
        "sizes that the stride does not divide": _cases(((1, 3, 2), 2, 2), ((1, 3, 5), 2, 2), ((2, 6, 5), 3, 2)),
        "negative values": _negative,
        "equal values": _ties,
        "windows that overlap": _cases(((1, 3, 3), 2, 1), ((1, 3, 4), 3, 1), ((2, 5, 6), 3, 2)),
        "backward": _backward,
        "backward where windows overlap": _overlap,
        "30 random cases": _random,
        "float32 stays float32, float64 float64": _dtype,
        "no loop over the pixels": _loops,
    },
    HINT,
)
