"""Local response normalisation of blocked arrays: the kernels against NumPy, and the layers that they compute."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcnlite.arrays import Array
from fcnlite.compiler.operations.lrn import LocalResponseNormalization
from tests.compiler.convolution.problems import EACH_ISA, blocked, guarded, machine_with, unblocked
from tests.compiler.path_comparison import (
    assert_same_gradients,
    assert_same_outputs,
    conv,
    does,
    filled,
    layer,
    normal,
    spec_of,
)

SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 70), st.integers(1, 9), st.integers(1, 9))


def windows(values: Array, reach: int) -> Array:
    """Σ of the values around each channel, in float64."""
    n, channels, *size = values.shape
    padded = np.zeros((n, channels + 2 * reach, *size))
    padded[:, reach : reach + channels] = values
    return sum(padded[:, d : d + channels] for d in range(2 * reach + 1))


@EACH_ISA
@settings(max_examples=60)
@given(
    shape=SHAPES,
    reach=st.sampled_from([0, 1, 2, 7, 16, 40]),
    beta=st.sampled_from([0.75, 0.5, 1.3]),
    k=st.sampled_from([1.0, 0.3, 2.0]),
    threads=st.sampled_from([1, 3]),
)
def test_the_kernels(
    instructions: str, shape: tuple[int, ...], reach: int, beta: float, k: float, threads: int
) -> None:
    kernels, alpha_n = machine_with(instructions).kernels, 0.1
    x, dy = normal(0, *shape), normal(1, *shape)
    s = k + alpha_n * windows(x.astype(np.float64) ** 2, reach)
    with guarded(*blocked(x).shape) as y:
        kernels.lrn(blocked(x), reach, alpha_n, beta, k, y, threads)
    np.testing.assert_allclose(unblocked(y, shape[1]), x * s**-beta, rtol=1e-5, atol=1e-6)
    with guarded(*y.shape) as dx:
        kernels.lrn_backward(blocked(dy), blocked(x), reach, alpha_n, beta, k, dx, threads)
    expected = dy * s**-beta - 2 * alpha_n * beta * x * windows(dy * x * s ** (-beta - 1), reach)
    np.testing.assert_allclose(unblocked(dx, shape[1]), expected, rtol=1e-4, atol=1e-4)


@EACH_ISA
def test_arrays_that_do_not_fit_are_refused(instructions: str) -> None:
    kernels, x, other = machine_with(instructions).kernels, *(blocked(normal(0, 1, 20, 4, w)) for w in (4, 5))
    with pytest.raises(ValueError, match="does not fit"):
        kernels.lrn(x, 2, 0.1, 0.75, 1, other, 1)
    for arrays in ((other, x, x), (x, x, other)):
        with pytest.raises(ValueError, match="does not fit"):
            kernels.lrn_backward(*arrays[:2], 2, 0.1, 0.75, 1, arrays[2], 1)


@pytest.mark.parametrize(
    ("options", "taken"),
    [
        ({}, True),
        ({"local_size": 3, "alpha": 0.5, "beta": 0.6, "k": 2.0}, True),
        ({"local_size": 1_000_000_007, "alpha": 1e8}, True),  # no array of this size is made
        ({"norm_region": "WITHIN_CHANNEL", "local_size": 3}, False),
        ({"k": 0.0}, False),
        ({"k": 1e-50}, False),
        ({"k": 1e-10, "beta": 4.0, "alpha": 1.0, "local_size": 3}, False),
    ],
)
@pytest.mark.parametrize("place", ["between", "first", "last"])
def test_the_layers_that_it_suits(options: dict[str, Any], taken: bool, place: str) -> None:
    feeds = {"data": normal(0, 2, 20, 9, 11) + 3}
    layers = [conv("a", "data", 20), layer("norm", "LRN", "a", **options), conv("b", "norm", 20)]
    if place == "first":
        layers = [layer("norm", "LRN", "data", **options), conv("b", "norm", 20)]
    if place == "last":
        del layers[2]
    net = filled(spec_of(feeds["data"].shape, *layers))
    plan = assert_same_outputs(net, feeds)
    assert isinstance(does(plan, "norm"), LocalResponseNormalization) == taken
    assert_same_gradients(net, feeds)
