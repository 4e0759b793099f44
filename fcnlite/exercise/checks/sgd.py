"""Exercise 7: stochastic gradient descent with momentum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fcnlite._kernels.update import sgd
from fcnlite.arrays import Array
from fcnlite.exercise.checks.cases import integers
from fcnlite.exercise.comparing import Mistakes, check_dtype, check_lines, compare
from fcnlite.exercise.exercise import Exercise
from fcnlite.exercise.student import Student, WrongError

HINT = """\
Three lines. First the gradient with its decay term (a new array, since g belongs to the caller), then v, then w
with the *new* v. To change an array that the caller holds, write into it: `v[...] = ...`, `w -= v` or `v *=
momentum`. A line such as `v = momentum * v` only gives the name v to a new array, which nobody sees after the
function ends."""

Numbers = Mapping[str, float]


def expected(w: Array, g: Array, v: Array, numbers: Numbers) -> tuple[Array, Array]:
    """The engine's w and v after one step."""
    w, v = w.copy(), v.copy()
    rate, momentum, decay = (numbers[name] for name in ("rate", "momentum", "decay"))
    sgd(w.reshape(-1), np.ascontiguousarray(g).reshape(-1), v.reshape(-1), 1.0, decay, 0.0, rate, momentum, 1)
    return w, v


def mistakes(w: Array, g: Array, v: Array, numbers: Numbers) -> tuple[Mistakes, Mistakes]:
    """What typical mistakes compute as w and as v."""
    rate, m, decay = (numbers[name] for name in ("rate", "momentum", "decay"))
    full = g + decay * w
    right = m * v + rate * full
    both: dict[str, tuple[Array, Array]] = {
        "The array is as it was before: the function must write into it (w -= …, v[...] = …), not give its name to "
        "a new array.": (w, v),
        "w changes by the old v; compute the new v first.": (w - v, right),
        "The sign is wrong: a step goes down the gradient.": (w + right, right),
        "The weight decay is missing: the gradient is g + decay · w.": (w - m * v - rate * g, m * v + rate * g),
        "The weight decay has the wrong sign: g + decay · w pulls w towards 0.": (
            w - m * v - rate * (g - decay * w),
            m * v + rate * (g - decay * w),
        ),
        "The decay is not multiplied by the rate: v ← momentum · v + rate · (g + decay · w).": (
            w - m * v - rate * g - decay * w,
            m * v + rate * g + decay * w,
        ),
        "This is PyTorch's order, v ← momentum · v + g and w ← w − rate · v; in Caffe the rate is inside v, which "
        "differs as soon as the rate changes.": (w - rate * (m * v + full), m * v + full),
        "The gradient is damped by 1 − momentum; Caffe adds it in full.": (
            w - m * v - (1 - m) * rate * full,
            m * v + (1 - m) * rate * full,
        ),
        "This is Nesterov's step, which looks ahead; plain momentum is w ← w − v.": (
            w - (1 + m) * right + m * v,
            right,
        ),
        "The momentum is missing: the old v has no effect.": (w - rate * full, rate * full),
        "The rate is multiplied twice: it is in v already, so w ← w − v.": (w - rate * right, right),
        "The decay pulls by w²; it is decay · w.": (
            w - m * v - rate * (g + decay * w**2),
            m * v + rate * (g + decay * w**2),
        ),
        "The decay pulls by |w|; it is decay · w, with its sign.": (
            w - m * v - rate * (g + decay * np.abs(w)),
            m * v + rate * (g + decay * np.abs(w)),
        ),
        "Only the first value is changed; all values of the arrays are.": (
            _first_only(w, w - right),
            _first_only(v, right),
        ),
        "The momentum is added, not multiplied.": (w - (v + rate * full), v + rate * full),
        "v has the opposite sign (v ← momentum · v − rate · g, w ← w + v); w − v is expected here.": (
            w + m * v - rate * full,
            m * v - rate * full,
        ),
    }

    def given(value: Array) -> Any:
        return lambda: value

    for_w, for_v = ({key: given(value[i]) for key, value in both.items()} for i in (0, 1))
    return for_w, for_v


def _first_only(before: Array, after: Array) -> Array:
    """`before`, with the first value of `after`."""
    changed = before.copy()
    changed[:1] = after[:1]
    return changed


def _one(student: Student, w: Array, g: Array, v: Array, **numbers: float) -> Any:
    call = student.call("sgd_step", changes=("w", "v"), w=w, g=g, v=v, **numbers)
    right_w, right_v = expected(w, g, v, numbers)
    for_w, for_v = mistakes(w, g, v, numbers)
    new_w, new_v = call.result["w"], call.result["v"]
    # Where only one of them is wrong, its own mistakes say more.
    compare(call, new_v, right_v, for_v, "v")
    compare(call, new_w, right_w, for_w, "w")
    return call


def _case(seed: int, *shape: int, dtype: Any = np.float32) -> tuple[Array, Array, Array]:
    w, g, v = (integers(3 * seed + i, *shape, dtype=dtype) for i in range(3))
    return w, g, v


def _example(student: Student) -> None:
    w, g, v = (np.array([value], np.float32) for value in (1, 2, 0))
    _one(student, w, g, v, rate=0.1, momentum=0.0, decay=0.0)


def _second(student: Student) -> None:
    w, g, v = (np.array([value], np.float32) for value in (0.8, 3, 0.2))
    _one(student, w, g, v, rate=0.1, momentum=0.9, decay=0.0)


def _decay(student: Student) -> None:
    _one(student, *_case(0, 1), rate=0.1, momentum=0.0, decay=0.5)
    _one(student, *_case(1, 3), rate=0.1, momentum=0.9, decay=0.5)


def _rates(student: Student) -> None:
    """Ten steps with a rate that falls, in which the order of rate and momentum matters."""
    w, _, v = _case(2, 4)
    for step in range(10):
        g, rate = integers(step, 4), 0.1 / (1 + step)
        call = _one(student, w, g, v, rate=rate, momentum=0.9, decay=0.01)
        w, v = call.result["w"], call.result["v"]


def _random(student: Student) -> None:
    rng = np.random.default_rng(5)
    for seed in range(10):
        shape = tuple(int(each) for each in rng.integers(1, 4, seed % 4 + 1))
        rate, momentum, decay = (round(float(each), 3) for each in rng.random(3))
        _one(student, *_case(seed, *shape), rate=rate, momentum=momentum, decay=decay)


def _returns(student: Student) -> None:
    call = _one(student, *_case(0, 2), rate=0.1, momentum=0.9, decay=0.0)
    check_dtype(call, call.result["w"], np.float32, "w")


def _loops(student: Student) -> None:
    call = _one(student, *_case(0, 50, 40), rate=0.1, momentum=0.9, decay=0.1)
    check_lines(call, 50, "NumPy updates all values of an array at once.")


def _window(student: Student) -> None:
    """With a constant gradient, v comes to rate · g / (1 − momentum)."""
    w, g, v = np.zeros(1), np.ones(1), np.zeros(1)
    for _ in range(200):
        call = student.call("sgd_step", changes=("w", "v"), w=w, g=g, v=v, rate=0.1, momentum=0.9, decay=0.0)
        w, v = call.result["w"], call.result["v"]
    if not np.allclose(v, 1):
        raise WrongError(f"After 200 steps with g = 1, v is {v[0]:g}; expected rate / (1 − momentum) = 1.\n{call}")


EXERCISE = Exercise(
    "sgd",
    "SGD with momentum",
    ("sgd_step",),
    {
        "the first step of the page's example": _example,
        "the second step: momentum": _second,
        "weight decay": _decay,
        "ten steps with a rate that falls": _rates,
        "a constant gradient, 200 steps": _window,
        "random shapes and numbers": _random,
        "float32 stays float32": _returns,
        "no loop over the values": _loops,
    },
    HINT,
)
