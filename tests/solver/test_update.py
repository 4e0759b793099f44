"""The compiled updates against NumPy, in float32 and float64, on one thread and several."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcnlite._kernels import update
from fcnlite.arrays import Array

RATE, MOMENTUM, SECOND, DELTA = 0.1, 0.9, 0.8, 0.01


def sgd(w: Array, g: Array, v: Array) -> tuple[Array, ...]:
    v = MOMENTUM * v + RATE * g
    return w - v, v


def nesterov(w: Array, g: Array, before: Array) -> tuple[Array, ...]:
    v = MOMENTUM * before + RATE * g
    return w - (1 + MOMENTUM) * v + MOMENTUM * before, v


def adagrad(w: Array, g: Array, h: Array) -> tuple[Array, ...]:
    h = h + g**2
    return w - RATE * g / (np.sqrt(h) + DELTA), h


def rmsprop(w: Array, g: Array, h: Array) -> tuple[Array, ...]:
    h = MOMENTUM * h + (1 - MOMENTUM) * g**2
    return w - RATE * g / (np.sqrt(h) + DELTA), h


def adadelta(w: Array, g: Array, h: Array, u: Array) -> tuple[Array, ...]:
    h = MOMENTUM * h + (1 - MOMENTUM) * g**2
    s = g * np.sqrt((u + DELTA) / (h + DELTA))
    return w - RATE * s, h, MOMENTUM * u + (1 - MOMENTUM) * s**2


def adam(w: Array, g: Array, m: Array, v: Array) -> tuple[Array, ...]:
    m, v = MOMENTUM * m + (1 - MOMENTUM) * g, SECOND * v + (1 - SECOND) * g**2
    return w - RATE * m / (np.sqrt(v) + DELTA), m, v


RULES: dict[str, tuple[Callable[..., tuple[Array, ...]], int, tuple[float, ...]]] = {
    "sgd": (sgd, 1, (MOMENTUM,)),
    "nesterov": (nesterov, 1, (MOMENTUM,)),
    "adagrad": (adagrad, 1, (DELTA,)),
    "rmsprop": (rmsprop, 1, (MOMENTUM, DELTA)),
    "adadelta": (adadelta, 2, (MOMENTUM, DELTA)),
    "adam": (adam, 2, (MOMENTUM, SECOND, DELTA)),
}
"""The definition of each update, the number of its histories, and the constants of its kernel."""


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=40)
@given(
    size=st.integers(0, 37),
    dtype=st.sampled_from([np.float32, np.float64]),
    decay=st.sampled_from([(0.0, 0.0), (0.01, 0.0), (0.0, 0.02)]),
    threads=st.sampled_from([1, 2, 5]),
    seed=st.integers(0, 10_000),
)
def test_an_update_is_its_definition(
    name: str, size: int, dtype: Any, decay: tuple[float, float], threads: int, seed: int
) -> None:
    definition, histories, constants = RULES[name]
    rng = np.random.default_rng(seed)
    data, grad = (rng.normal(size=size).astype(dtype) for _ in range(2))
    data[::5] = 0  # sign(w) is 0 there
    past = [np.abs(rng.normal(size=size)).astype(dtype) for _ in range(histories)]
    scale, (l2, l1) = 0.25, decay
    expected = definition(data, scale * grad + l2 * data + l1 * np.sign(data), *past)
    getattr(update, name)(data, grad, *past, scale, l2, l1, RATE, *constants, threads)
    for found, wanted in zip((data, *past), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-6 if dtype is np.float32 else 1e-14)


@pytest.mark.parametrize("name", RULES)
def test_arrays_of_other_lengths_are_refused(name: str) -> None:
    _, histories, constants = RULES[name]
    for short in range(1, 2 + histories):
        arrays = [np.zeros(2 if i == short else 3) for i in range(2 + histories)]
        with pytest.raises(ValueError, match="length"):
            getattr(update, name)(*arrays, 1, 0, 0, 1, *constants, 1)
