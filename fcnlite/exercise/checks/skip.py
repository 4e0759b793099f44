"""Exercise 8: a skip, forward and backward."""

from __future__ import annotations

from typing import Any

import numpy as np

from fcnlite.arrays import Array
from fcnlite.description.fillers import bilinear_kernel
from fcnlite.exercise.checks.cases import integers
from fcnlite.exercise.comparing import Mistakes, check_dtype, check_lines, compare, pair
from fcnlite.exercise.exercise import Exercise
from fcnlite.exercise.student import Student
from fcnlite.layers import apply

HINT = """\
Forward: the 1×1 convolution is a matrix product at each position: `np.einsum("kc,chw->khw", weight, features)`,
plus `bias[:, None, None]`. Upsample the coarse scores with `upsample2`, cut their size out of the fine scores at
`offset`, add.

Backward: a sum passes its gradient on to both terms. One way goes through `upsample2_backward` to the coarse
scores. The other way goes into zeros of the size of the fine scores, at `offset` (the pixels that were cut off have
no influence, so no gradient). From there: bias, the sum over all positions; weight, the product with the features;
features, the product with the weight, transposed."""


def expected(coarse: Array, features: Array, weight: Array, bias: Array, offset: int) -> tuple[Array, Any]:
    """The engine's fused scores, and its backward: dcoarse, dfeatures, dweight, dbias."""
    classes, channels = weight.shape
    kernel = np.broadcast_to(bilinear_kernel(4), (classes, 1, 4, 4))
    window = {"num_output": classes, "group": classes, "kernel_size": (4,), "stride": (2,), "bias_term": False}
    up = apply("Deconvolution", coarse[None], params=[kernel], **window)
    parameters = [weight.reshape(classes, channels, 1, 1), bias]
    score = apply("Convolution", features[None], params=parameters, num_output=classes, kernel_size=(1,))
    cut = apply("Crop", score.top, up.top, offset=(offset,))
    fused = apply("Eltwise", up.top, cut.top, operation="SUM")

    def backward(dfused: Array) -> list[Array]:
        dup, dcut = fused.backward(dfused[None])
        dscore, _ = cut.backward(dcut)
        (dfeatures,), (dcoarse,) = score.backward(dscore), up.backward(dup)
        dweight, dbias = score.dparams
        return [np.asarray(dcoarse)[0], np.asarray(dfeatures)[0], dweight.reshape(weight.shape), dbias]

    return fused.top[0], backward


def _terms(coarse: Array, features: Array, weight: Array, bias: Array) -> tuple[Array, Array]:
    """The upsampled coarse scores and all fine ones."""
    zero = np.zeros_like(bias)
    up = expected(
        coarse, np.zeros((weight.shape[1], 2 * coarse.shape[1] + 2, 2 * coarse.shape[2] + 2)), weight, zero, 0
    )
    fine = np.einsum("kc,chw->khw", weight, features) + bias[:, None, None]
    return up[0], fine


def forward_mistakes(coarse: Array, features: Array, weight: Array, bias: Array, offset: int) -> Mistakes:
    """What typical mistakes compute as the fused scores."""
    up, fine = _terms(coarse, features, weight, bias)
    height, width = up.shape[1:]

    def cut(row: int, column: int) -> Array:
        return up + fine[:, row : row + height, column : column + width]

    middle = ((fine.shape[1] - height) // 2, (fine.shape[2] - width) // 2)
    at = slice(offset, offset + height), slice(offset, offset + width)
    return {
        "The crop begins at 0; expected `offset`.": lambda: cut(0, 0),
        "The crop is off by one: one pixel too far.": lambda: cut(offset + 1, offset + 1),
        "The crop is off by one: one pixel short.": lambda: cut(offset - 1, offset - 1) if offset else up,
        "The crop takes the middle; expected `offset`, which need not be the middle.": lambda: cut(*middle),
        "The crop takes the end; expected `offset`.": lambda: cut(fine.shape[1] - height, fine.shape[2] - width),
        "The bias is missing.": lambda: cut(offset, offset) - bias[:, None, None],
        "The upsampled scores alone are returned; add the fine ones.": lambda: up,
        "The fine scores alone are returned; add the upsampled ones.": lambda: fine[:, at[0], at[1]],
        "The two are put beside each other as channels; they are added.": lambda: np.concatenate(
            [up, fine[:, at[0], at[1]]]
        ),
        "The two are multiplied; they are added.": lambda: up * fine[:, at[0], at[1]],
        "The fine scores are subtracted; they are added.": lambda: up - fine[:, at[0], at[1]],
        "The larger of the two is taken; they are added.": lambda: np.maximum(up, fine[:, at[0], at[1]]),
        "The mean of the two is taken; they are added.": lambda: cut(offset, offset) / 2,
    }


def backward_mistakes(
    dfused: Array, coarse: Array, features: Array, weight: Array, offset: int, right: list[Array]
) -> tuple[Mistakes, Mistakes, Mistakes, Mistakes]:
    """What typical mistakes compute as dcoarse, dfeatures, dweight and dbias."""
    height, width = dfused.shape[1:]

    def placed(at: int) -> Array:
        dfine = np.zeros((len(weight), *features.shape[1:]), dfused.dtype)
        dfine[:, at : at + height, at : at + width] = dfused
        return dfine

    def dfeatures(at: int) -> Array:
        return np.einsum("kc,khw->chw", weight, placed(at))

    def dweight(at: int) -> Array:
        return np.einsum("khw,chw->kc", placed(at), features)

    return (
        {
            "This is dfused itself; the coarse scores get it through `upsample2_backward`.": lambda: dfused,
            "This is dfeatures; return dcoarse, dfeatures, dweight, dbias, in this order.": lambda: right[1],
            "The gradient is shared between the two terms of the sum; each gets all of it.": lambda: right[0] / 2,
            "Every second value is taken; the transpose of upsample2, `upsample2_backward`, weights and adds.": (
                lambda: dfused[:, : 2 * coarse.shape[1] : 2, : 2 * coarse.shape[2] : 2]
            ),
        },
        {
            "The gradient is put at 0; expected `offset`, where the crop took the scores.": lambda: dfeatures(0),
            "The size is that of the crop; the features outside have a gradient too, which is 0.": lambda: np.einsum(
                "kc,khw->chw", weight, dfused
            ),
        },
        {
            "The gradient is put at 0; expected `offset`, where the crop took the scores.": lambda: dweight(0),
            "It is divided by the number of positions; the gradient is the sum.": lambda: right[2] / (height * width),
            "This is the transpose.": lambda: right[2].T,
        },
        {
            "It is divided by the number of positions; the gradient is the sum.": lambda: right[3] / (height * width),
            "It is summed over the classes too; each class has a bias of its own.": lambda: right[3].sum(),
        },
    )


Shape = tuple[int, int, int, int, int, int, int]
"""Classes, channels, rows and columns of the coarse scores, more rows and columns of the features, and the offset."""


def _case(seed: int, shape: Shape, dtype: Any = np.float32) -> tuple[Array, Array, Array, Array, int]:
    classes, channels, height, width, more_rows, more_columns, offset = shape
    coarse = integers(seed, classes, height, width, dtype=dtype)
    features = integers(seed + 1, channels, 2 * height + 2 + more_rows, 2 * width + 2 + more_columns, dtype=dtype)
    weight = integers(seed + 2, classes, channels, dtype=dtype)
    return coarse, features, weight, integers(seed + 3, classes, dtype=dtype), offset


def _forward(student: Student, seed: int, shape: Shape) -> Any:
    coarse, features, weight, bias, offset = case = _case(seed, shape)
    call = student.call("skip", coarse=coarse, features=features, weight=weight, bias=bias, offset=offset)
    compare(call, call.result, expected(*case)[0], forward_mistakes(*case))
    return call


NAMES = ("dcoarse", "dfeatures", "dweight", "dbias")


def _backward(student: Student, seed: int, shape: Shape) -> Any:
    coarse, features, weight, bias, offset = _case(seed, shape)
    fused, backward = expected(coarse, features, weight, bias, offset)
    dfused = integers(seed + 4, *fused.shape)
    call = student.call("skip_backward", dfused=dfused, coarse=coarse, features=features, weight=weight, offset=offset)
    right = backward(dfused)
    known = backward_mistakes(dfused, coarse, features, weight, offset, right)
    for got, wanted, name, wrong in zip(pair(call, NAMES), right, NAMES, known, strict=True):
        compare(call, got, wanted, wrong, name)
    return call


_SHAPES: tuple[Shape, ...] = (
    (1, 1, 1, 1, 1, 1, 0),
    (1, 1, 1, 2, 2, 2, 1),
    (2, 3, 2, 1, 3, 4, 2),
    (3, 2, 3, 4, 5, 7, 5),
)


def _example(student: Student) -> None:
    _forward(student, 0, (1, 1, 1, 1, 0, 0, 0))


def _forwards(student: Student) -> None:
    for seed, shape in enumerate(_SHAPES):
        _forward(student, 5 * seed, shape)


def _backwards(student: Student) -> None:
    for seed, shape in enumerate(_SHAPES):
        _backward(student, 5 * seed, shape)


def _random(student: Student) -> None:
    rng = np.random.default_rng(6)
    for seed in range(15):
        classes, channels, height, width, rows, columns = (int(each) for each in rng.integers(1, 5, 6))
        shape = (classes, channels, height, width, rows, columns, int(rng.integers(0, min(rows, columns) + 1)))
        _forward(student, 5 * seed, shape)
        _backward(student, 5 * seed, shape)


def _dtype(student: Student) -> None:
    coarse, features, weight, bias, offset = _case(0, (2, 3, 2, 2, 2, 2, 1))
    call = student.call("skip", coarse=coarse, features=features, weight=weight, bias=bias, offset=offset)
    check_dtype(call, call.result, np.float32)


def _loops(student: Student) -> None:
    shape: Shape = (3, 8, 20, 30, 4, 4, 2)
    for call in (_forward(student, 0, shape), _backward(student, 0, shape)):
        check_lines(call, 1000, "A 1×1 convolution of all positions is one product: np.einsum or a reshape and @.")


EXERCISE = Exercise(
    "skip",
    "a skip",
    ("skip", "skip_backward"),
    {
        "forward: one position": _example,
        "forward: several classes, channels, offsets": _forwards,
        "backward": _backwards,
        "15 random cases": _random,
        "float32 stays float32": _dtype,
        "no loop over the positions": _loops,
    },
    HINT,
)
