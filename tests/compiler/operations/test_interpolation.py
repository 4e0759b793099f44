"""The interpolation kernels, against NumPy, on every instruction set."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fcnlite.compiler.ir import BLOCK
from tests.compiler.convolution.problems import EACH_ISA, guarded, machine_with
from tests.compiler.path_comparison import Array, normal
from tests.random_nets import Draw


@st.composite
def weights(draw: Draw, size: int) -> tuple[Array, Array]:
    """Places and weights of a drawn number of outputs along one axis."""
    shape = draw(st.integers(1, 20)), draw(st.sampled_from([1, 2, 2, 3]))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    return rng.integers(0, size, shape).astype(np.int32), rng.normal(size=shape).astype(np.float32)


@st.composite
def interpolations(draw: Draw) -> tuple[Array, tuple[Array, Array], tuple[Array, Array]]:
    planes, height, width = (draw(st.integers(1, most)) for most in (5, 12, 20))
    lanes = draw(st.sampled_from([1, BLOCK]))
    return (
        normal(draw(st.integers(0, 1000)), planes, height, width, lanes),
        draw(weights(height)),
        draw(weights(width)),
    )


def matrix(places: Array, weights: Array, size: int) -> Array:
    """Outputs × inputs."""
    dense = np.zeros((len(places), size))
    for i, (row, values) in enumerate(zip(places, weights, strict=True)):
        np.add.at(dense[i], row, values.astype(np.float64))
    return dense


@EACH_ISA
@settings(max_examples=60)
@given(case=interpolations(), add=st.sampled_from([None, (0, 0), (2, 3)]), threads=st.sampled_from([1, 3]))
def test_the_kernel_and_its_transpose(
    instructions: str, case: tuple[Array, tuple[Array, Array], tuple[Array, Array]], add: Any, threads: int
) -> None:
    (x, rows, columns), kernels = case, machine_with(instructions).kernels
    a, b = matrix(*rows, x.shape[1]), matrix(*columns, x.shape[2])
    expected, skip = np.einsum("ih,jw,phwl->pijl", a, b, x), np.empty((0,) * 4, np.float32)
    if add is not None:
        skip = normal(1, len(x), len(a) + 2, len(b) + 3, x.shape[3])
        expected = expected + skip[:, add[0] : add[0] + len(a), add[1] : add[1] + len(b)]
    with guarded(*expected.shape) as y:
        kernels.interpolate(x, *rows, *columns, skip, *(add or (0, 0)), y, threads)
    np.testing.assert_allclose(y, expected, atol=1e-4)

    dy = normal(2, *expected.shape)
    with guarded(*x.shape) as dx:
        kernels.interpolate_backward(dy, *rows, *columns, dx, threads)
    np.testing.assert_allclose(dx, np.einsum("ih,jw,pijl->phwl", a, b, dy), atol=1e-4)
