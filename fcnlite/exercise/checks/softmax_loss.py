"""Exercise 6: the softmax loss over all pixels of a map."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fcnlite.arrays import Array
from fcnlite.exercise.checks.cases import integers
from fcnlite.exercise.comparing import Mistakes, check_dtype, check_lines, compare, pair
from fcnlite.exercise.exercise import Exercise
from fcnlite.exercise.student import Student, WrongError
from fcnlite.layers import apply

HINT = """\
p: subtract each pixel's largest score before np.exp; the result is the same, and nothing overflows. The axis of the
classes is 1.

To pick p[n, label, i, j], set the label of void pixels to 0 first (any class will do), use np.take_along_axis with
`label[:, None]`, and set what void pixels add to 0 with np.where.

dx is p, minus 1 at the label's class, divided by the number of pixels that count; 0 at void pixels."""

VOID = 255


def expected(x: Array, label: Array) -> tuple[Array, Array]:
    """The engine's loss and dx."""
    loss = apply("SoftmaxWithLoss", x, label, ignore_label=VOID)
    return loss.top, np.asarray(loss.backward()[0])


def _parts(x: Array, label: Array, axis: int = 1) -> tuple[Array, Array, Array]:
    """p, the losses of all pixels without regard to void, and which pixels count."""
    e = np.exp(x - x.max(axis, keepdims=True))
    p = e / e.sum(axis, keepdims=True)
    counted = label != VOID
    of_label = np.take_along_axis(p, np.where(counted, label, 0)[:, None], 1)[:, 0]
    return p, -np.log(of_label), counted


def loss_mistakes(x: Array, label: Array) -> Mistakes:
    """What typical mistakes compute as the loss."""
    p, losses, counted = _parts(x.astype(np.float64), label)
    void_as_last = -np.log(np.take_along_axis(p, np.minimum(label, x.shape[1] - 1)[:, None], 1)[:, 0])
    total, count = np.where(counted, losses, 0).sum(), max(1, int(counted.sum()))
    shifted = np.exp(x - x.max())

    def along(axis: int) -> float:
        _, wrong, _ = _parts(x.astype(np.float64), label, axis)
        return float(np.where(counted, wrong, 0).sum() / count)

    def mean_of_p() -> float:
        return float(-np.log(np.where(counted, np.exp(-losses), 0).sum() / count))

    def without_keepdims(max_too: bool) -> float:
        scores = x.astype(np.float64)
        shifted = scores - (scores.max(1) if max_too else scores.max(1, keepdims=True))
        e = np.exp(shifted)
        p = e / (e.sum(1, keepdims=True) if max_too else e.sum(1))
        of_label = np.take_along_axis(p, np.where(counted, label, 0)[:, None], 1)[:, 0]
        return float(np.where(counted, -np.log(of_label), 0).sum() / count)

    def one_class_left_out() -> float:
        return float(np.where(counted & (label != 0), losses, 0).sum() / max(1, int((counted & (label != 0)).sum())))

    rows = "The softmax runs over the rows (axis 2); the classes are on axis 1."
    if total > 0 and along(2) == one_class_left_out() == 0:  # both explain a loss of 0
        rows += " Or pixels of class 0 are left out; only 255 is void."
    return {
        "The mean is over all pixels, void ones too; divide by the number of pixels that count.": lambda: (
            total / label.size
        ),
        "This is the sum over the pixels, or over those of each picture; divide by the number that count.": (
            lambda: total / len(x)
        ),
        "Void pixels (label 255) add to the loss as if they were of class 0; leave them out.": lambda: losses.mean(),
        "Void pixels add to the sum as if they were of class 0, though they are not counted.": lambda: (
            losses.sum() / count
        ),
        "Void pixels add to the loss as if they were of the last class; leave them out.": lambda: void_as_last.mean(),
        "The sign is wrong: the loss is −log p, which is positive.": lambda: -total / count,
        "This is log p without its minus, summed.": lambda: -total,
        "This is 1 − p in place of −log p.": lambda: np.where(counted, 1 - np.exp(-losses), 0).sum() / count,
        "The logarithm has base 2; the loss has base e (np.log).": lambda: total / count / np.log(2),
        "The logarithm has base 10; the loss has base e (np.log).": lambda: total / count / np.log(10),
        rows: lambda: along(2),
        "The softmax runs over the columns (axis 3); the classes are on axis 1.": lambda: along(3),
        "The softmax runs over the pictures (axis 0); the classes are on axis 1.": lambda: along(0),
        "x.max(axis=1) has lost the axis of the classes, so pictures and classes are mixed up: write keepdims=True.": (
            lambda: without_keepdims(True)
        ),
        "The sum over the classes has lost its axis, so pictures and classes are mixed up: write keepdims=True.": (
            lambda: without_keepdims(False)
        ),
        "This is the logarithm of the mean of p; take −log of each pixel's p, and then the mean.": mean_of_p,
        "Pixels of class 0 are left out; only 255 is void.": one_class_left_out,
        "The softmax runs over the whole array; each pixel has its own.": lambda: (
            np.where(
                counted,
                -np.log(np.take_along_axis(shifted / shifted.sum(), np.where(counted, label, 0)[:, None], 1)[:, 0]),
                0,
            ).sum()
            / count
        ),
    }


def gradient_mistakes(x: Array, label: Array) -> Mistakes:
    """What typical mistakes compute as dx."""
    p, _, counted = _parts(x.astype(np.float64), label)
    right, count = expected(x, label)[1], max(1, int(counted.sum()))
    p_only = np.where(counted[:, None], p, 0) / count
    as_class_0 = p.copy()
    index = np.where(counted, label, 0)[:, None]
    np.put_along_axis(as_class_0, index, np.take_along_axis(p, index, 1) - 1, 1)
    return {
        "It is divided by the number of all scores; divide by the number of pixels that count.": lambda: (
            right * count / x.size
        ),
        "It is not divided by the number of pixels that count; the loss is.": lambda: right * count,
        "It is divided by the number of all pixels, void ones too.": lambda: right * count / label.size,
        "It is divided by the number of pictures.": lambda: right * count / len(x),
        "This is p alone; subtract 1 at the label's class.": lambda: p_only,
        "The sign is wrong: dx = p − [k = label].": lambda: -right,
        "Void pixels have a gradient as if they were of class 0; theirs is 0.": lambda: as_class_0 / count,
        "Void pixels have the gradient p; theirs is 0.": lambda: np.where(counted[:, None], as_class_0, p) / count,
        "This is the gradient of the sum of p, not of the loss.": lambda: right * p,
    }


def _one(student: Student, x: Array, label: Array) -> Any:
    try:
        call = student.call("softmax_loss", x=x, label=label)
    except WrongError as error:
        if f"index {VOID} is out of bounds" in str(error):
            raise WrongError(
                f"Void pixels have the label 255, which is not a class: pick class 0 for them. {error}"
            ) from None
        raise
    loss, dx = pair(call, ("loss", "dx"))
    if np.shape(loss) == x.shape and np.ndim(dx) == 0:
        raise WrongError(f"The two results are exchanged: return the loss first, then dx.\n{call}")
    if np.ndim(loss) == 0 and np.isinf(loss):
        raise WrongError(
            f"The loss is {loss}: an exponential overflows, or all those of a pixel are 0. Subtract each pixel's own "
            f"largest score first, not that of the whole array.\n{call}"
        )
    right_loss, right_dx = expected(x, label)
    compare(call, loss, right_loss, loss_mistakes(x, label), "the loss")
    compare(call, dx, right_dx, gradient_mistakes(x, label), "dx")
    return call


def case(seed: int, shape: tuple[int, int, int, int], void: float = 0.0, scale: float = 1.0) -> tuple[Array, Array]:
    """Scores and labels, with a share of void pixels."""
    rng = np.random.default_rng(seed)
    n, classes, height, width = shape
    label = rng.integers(0, classes, (n, height, width))
    label[rng.random(label.shape) < void] = VOID
    return integers(seed, *shape) / 4 * np.float32(scale), label


def _cases(*shapes: tuple[int, int, int, int], void: float = 0.0, scale: float = 1.0) -> Callable[[Student], None]:
    def check(student: Student) -> None:
        for seed, shape in enumerate(shapes):
            _one(student, *case(seed, shape, void, scale))

    return check


def _example(student: Student) -> None:
    _one(student, np.array([[[[0]], [[np.log(3)]]]], np.float32), np.array([[[0]]]))


def _one_void(student: Student) -> None:
    _one(student, integers(0, 1, 2, 1, 2), np.array([[[1, VOID]]]))
    _one(student, integers(1, 1, 3, 2, 2), np.array([[[0, VOID], [2, 1]]]))


def _all_void(student: Student) -> None:
    """The divisor is at least 1."""
    _one(student, integers(0, 1, 2, 1, 2), np.full((1, 1, 2), VOID))


def _large(student: Student) -> None:
    _one(student, np.array([[[[1000.0]], [[1001.0]]]], np.float32), np.array([[[0]]]))
    _one(student, np.array([[[[-1000.0]], [[-1001.0]]]], np.float32), np.array([[[1]]]))
    _one(student, *case(0, (1, 3, 2, 2), scale=8))
    _one(
        student, np.array([[[[0, -1000]], [[1, -1001]]]], np.float32), np.array([[[0, 0]]])
    )  # a maximum for each pixel


def _dtype(student: Student) -> None:
    for dtype in (np.float32, np.float64):
        x, label = case(0, (1, 3, 2, 4), void=0.2)
        call = student.call("softmax_loss", x=x.astype(dtype), label=label)
        check_dtype(call, pair(call, ("loss", "dx"))[1], dtype, "dx")


def _loops(student: Student) -> None:
    call = _one(student, *case(0, (2, 5, 40, 50), void=0.1))
    check_lines(call, 200, "Compute all pixels at once: np.exp, sum over axis 1, np.take_along_axis.")


EXERCISE = Exercise(
    "softmax_loss",
    "softmax loss over maps",
    ("softmax_loss",),
    {
        "the example of the page: one pixel": _example,
        "one row of pixels": _cases((1, 2, 1, 2), (1, 3, 1, 3)),
        "maps that are not square": _cases((1, 2, 2, 3), (1, 3, 3, 2), (1, 5, 3, 4)),
        "several pictures": _cases((2, 2, 1, 2), (3, 4, 3, 5)),
        "void pixels": _one_void,
        "random maps with void pixels": _cases(
            *[(1 + i % 3, 2 + i % 5, 2 + i % 4, 3 + i % 3) for i in range(12)], void=0.3
        ),
        "large scores": _large,
        "a picture that is void": _all_void,
        "dx is float32 for float32, float64 for float64": _dtype,
        "no loop over the pixels": _loops,
    },
    HINT,
)
