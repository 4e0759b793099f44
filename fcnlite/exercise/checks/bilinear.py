"""Exercise 4: the bilinear kernel, and upsampling with it."""

from __future__ import annotations

from typing import Any

import numpy as np

from fcnlite.arrays import Array
from fcnlite.description.fillers import bilinear_kernel
from fcnlite.exercise.checks.cases import integers
from fcnlite.exercise.comparing import Mistakes, check_dtype, check_lines, compare
from fcnlite.exercise.exercise import Exercise
from fcnlite.exercise.student import Student, WrongError
from fcnlite.layers import apply

HINT = """\
Kernel: `i = np.arange(kernel_size)` are the places, `(kernel_size - 1) / 2` is their middle, also where it falls
between two of them. One line gives the weights along one axis; `np.outer(line, line)` gives the kernel.

Upsampling: make a result of zeros, H' = f·(H − 1) + kernel_size. For each tap (kh, kw), every pixel of x adds
`kernel[kh, kw] * x` to the slice that begins at `[kh, kw]` and takes every f-th pixel. That is col2im of exercise
2, with the kernel's weight in place of a row."""


def expected(x: Array, factor: int) -> Array:
    """The engine's deconvolution, each channel by itself."""
    size = 2 * factor - factor % 2
    weight = np.broadcast_to(bilinear_kernel(size), (len(x), 1, size, size))
    options: dict[str, Any] = {"num_output": len(x), "group": len(x), "bias_term": False}
    return apply("Deconvolution", x[None], params=[weight], kernel_size=(size,), stride=(factor,), **options).top[0]


def kernel_mistakes(size: int) -> Mistakes:
    """What typical mistakes compute as the kernel."""
    i, factor = np.arange(size), (size + 1) // 2

    def by(line: Array) -> Array:
        return np.outer(line, line)

    right = 1 - np.abs(i - (size - 1) / 2) / factor
    return {
        "The middle is rounded up to a whole place; for even sizes it is between two: (kernel_size − 1) / 2.": lambda: (
            by(1 - np.abs(i - size // 2) / factor)
        ),
        "The middle is rounded down to a whole place; for even sizes it is between two: (kernel_size − 1) / 2.": (
            lambda: by(1 - np.abs(i - (size - 1) // 2) / factor)
        ),
        "The middle is half a pixel off: it is (kernel_size − 1) / 2, since the places are 0 … kernel_size − 1.": (
            lambda: by(1 - np.abs(i - size / 2) / factor)
        ),
        "The weights are divided by their sum; interpolation needs every output's weights to sum to 1, and each output "
        "sees only one tap in f along each axis.": lambda: by(right / right.sum()),
        "f is kernel_size / 2 without rounding up; for an odd size f = (kernel_size + 1) / 2.": lambda: by(
            1 - np.abs(i - (size - 1) / 2) / (size / 2)
        ),
        "f is rounded down; for an odd size f = ⌈kernel_size / 2⌉ = (kernel_size + 1) // 2.": lambda: by(
            1 - np.abs(i - (size - 1) / 2) / np.float64(size // 2)
        ),
        "The weights go from 0 to 1 in each half; those of the line are 1 − distance / f, and none is 0.": lambda: by(
            np.concatenate([np.linspace(0, 1, factor)] * 2)[np.r_[:factor, 2 * factor - 1 : factor - 1 : -1]][:size]
        ),
        "All weights are 1, which repeats pixels; they fall with the distance from the middle.": lambda: np.ones(
            (size, size)
        ),
        "All weights are equal, so this is a mean; they fall with the distance from the middle.": lambda: np.full(
            (size, size), 1 / size
        ),
        "This is one line of weights; the kernel is their outer product.": lambda: right,
        "The two axes are added; a bilinear weight is the product of both.": lambda: right[:, None] + right[None] - 1,
    }


def upsample_mistakes(x: Array, factor: int) -> Mistakes:
    """What typical mistakes compute as the upsampled map."""
    right = expected(x, factor)
    size = 2 * factor - factor % 2
    height, width = right.shape[1:]

    def transposed() -> Array:
        return expected(x.transpose(0, 2, 1), factor)

    def overwritten() -> Array:
        y = np.zeros_like(right)
        for kh, kw in np.ndindex(size, size):
            y[:, kh : kh + factor * x.shape[1] : factor, kw : kw + factor * x.shape[2] : factor] = (
                bilinear_kernel(size)[kh, kw] * x
            )
        return y

    return {
        "Rows and columns are exchanged.": transposed,
        "Where kernels overlap, values are overwritten; they must be added.": overwritten,
        "The size is f·H × f·W; without a crop it is f·(H − 1) + kernel_size.": lambda: right[
            :, : factor * x.shape[1], : factor * x.shape[2]
        ],
        "Only the middle is left; the whole deconvolution is f·(H − 1) + kernel_size (exercise 5 crops).": (
            lambda: right[
                :,
                (height - factor * x.shape[1]) // 2 : (height + factor * x.shape[1]) // 2,
                (width - factor * x.shape[2]) // 2 : (width + factor * x.shape[2]) // 2,
            ]
        ),
        "The kernel was made whole numbers, and all its weights are 0; keep them floats.": lambda: np.zeros_like(right),
        "The channels are added to each other; each channel is upsampled by itself.": lambda: np.broadcast_to(
            right.sum(0), right.shape
        ),
        "Each pixel is repeated; expected interpolation between them.": lambda: x.repeat(factor, 1).repeat(factor, 2),
    }


def upsample_shapes(x: Array, factor: int) -> dict[str, tuple[int, ...]]:
    """The shapes of typical mistakes."""
    size = 2 * factor - factor % 2

    def shape(more: int) -> tuple[int, ...]:
        return (len(x), *(factor * (side - 1) + more for side in x.shape[1:]))

    return {
        "The kernel has 2·f places; for an odd f it is one less: 2·f − f % 2.": shape(2 * factor),
        "The kernel has f places along each axis; it needs 2·f − f % 2, to reach its neighbours.": shape(factor),
        "The last kernel begins at f·(H − 1), not at f·H: the size is f·(H − 1) + kernel_size.": shape(factor + size),
    }


def _kernel(student: Student, size: int) -> None:
    call = student.call("bilinear_kernel", kernel_size=size)
    compare(call, call.result, bilinear_kernel(size), kernel_mistakes(size), "the kernel")


def _one(student: Student, x: Array, factor: int) -> Any:
    call = student.call("upsample", x=x, factor=factor)
    shapes = upsample_shapes(x, factor)
    compare(call, call.result, expected(x, factor), upsample_mistakes(x, factor), shapes=shapes)
    return call


def _example(student: Student) -> None:
    _kernel(student, 4)


def _even(student: Student) -> None:
    for size in (2, 4, 8, 16, 64):
        _kernel(student, size)


def _odd(student: Student) -> None:
    for size in (1, 3, 5, 63):
        _kernel(student, size)


def _line(student: Student) -> None:
    """A row of the example: 1, 2, 4 by the factor 2."""
    _one(student, np.array([[[1, 2, 4]]], np.float32), 2)


def _constant(student: Student) -> None:
    """Away from the border a constant stays constant: the weights of every output sum to 1."""
    for factor in (2, 3, 8):
        call = student.call("upsample", x=np.ones((1, 4, 5), np.float32), factor=factor)
        middle = np.asarray(call.result)[:, factor:-factor, factor:-factor]
        if not np.allclose(middle, 1, atol=1e-5):
            raise WrongError(f"The middle of a map of ones is {middle.min():g} to {middle.max():g}, not 1.\n{call}")


def _sizes(student: Student) -> None:
    for seed, (shape, factor) in enumerate((((1, 1, 1), 2), ((1, 2, 3), 2), ((1, 3, 2), 4), ((1, 2, 2), 8))):
        _one(student, integers(seed, *shape), factor)


def _odd_factors(student: Student) -> None:
    for seed, (shape, factor) in enumerate((((1, 1, 2), 1), ((1, 2, 3), 3), ((1, 3, 2), 5))):
        _one(student, integers(seed, *shape), factor)


def _channels(student: Student) -> None:
    for seed, (shape, factor) in enumerate((((2, 1, 2), 2), ((3, 3, 4), 2), ((21, 2, 2), 4))):
        _one(student, integers(seed, *shape), factor)


def _dtype(student: Student) -> None:
    for dtype in (np.float32, np.float64):
        call = student.call("upsample", x=integers(0, 1, 2, 3, dtype=dtype), factor=2)
        check_dtype(call, call.result, dtype)


def _loops(student: Student) -> None:
    call = _one(student, integers(0, 2, 60, 70), 2)
    check_lines(call, 1000, "Loop over the taps of the kernel (here 16), not over the pixels.")


EXERCISE = Exercise(
    "bilinear",
    "the bilinear kernel",
    ("bilinear_kernel", "upsample"),
    {
        "the example of the page: size 4": _example,
        "kernels of even size": _even,
        "kernels of odd size": _odd,
        "the line of the page: 1, 2, 4": _line,
        "upsampling by 2, 4 and 8": _sizes,
        "a constant stays constant": _constant,
        "odd factors": _odd_factors,
        "several channels": _channels,
        "float32 stays float32, float64 float64": _dtype,
        "no loop over the pixels": _loops,
    },
    HINT,
)
