"""Pooling of blocked arrays against the kernels of the NCHW layer, on every instruction set."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fcnlite._kernels.pooling.nchw import ave_backward, ave_forward, max_backward, max_forward
from hypothesis import given, settings
from hypothesis import strategies as st

from fcnlite.arrays import Array
from fcnlite.compiler.operations.pooling import AveragePooling, MaxPooling
from fcnlite.compiler.operations.unpooling import MaxUnpooling
from fcnlite.description.shapes import Window
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import DataError
from fcnlite.layers import create
from tests.compiler.convolution.problems import EACH_ISA, blocked, guarded, machine_with, unblocked
from tests.compiler.path_comparison import (
    assert_same_gradients,
    assert_same_outputs,
    does,
    filled,
    layer,
    normal,
    reference_net,
    spec_of,
)
from tests.random_nets import Draw

Windows = tuple[Window, Window]


@st.composite
def windows(draw: Draw) -> Windows:
    def one() -> Window:
        kernel = draw(st.integers(1, 5))
        return Window(kernel, draw(st.integers(1, kernel)), draw(st.integers(0, kernel - 1)))

    return one(), one()


@st.composite
def values(draw: Draw, shape: tuple[int, ...]) -> Array:
    """Few different values, so that many maxima are tied; and some NaN."""
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    x = rng.integers(-3, draw(st.sampled_from([-2, 4, 100])), shape).astype(np.float32)
    if draw(st.booleans()):
        x[rng.random(shape) < 0.1] = np.nan
    if draw(st.booleans()):
        x[rng.random(shape) < 0.1] = -np.inf
    return x


CASES = st.tuples(
    windows(),
    st.tuples(st.integers(1, 2), st.integers(1, 20), st.integers(5, 14), st.integers(5, 14)).flatmap(values),
    st.sampled_from(["CEIL", "FLOOR"]),
)


def by_nchw_kernel(x: Array, w: Windows, mode: str) -> tuple[Array, Array, tuple[tuple[int, int], ...]]:
    """The results of the layer's kernel: the maxima, their places, and the windows as kernels read them."""
    clip = any(each.pad > 0 for each in w)
    n, channels, *size = x.shape
    top = [each.pooled(s, mode, clip) for each, s in zip(w, size, strict=True)]
    y = np.empty((n * channels, *top), np.float32)
    mask = np.empty(y.shape, np.int32)
    arguments = tuple((getattr(w[0], name), getattr(w[1], name)) for name in ("size", "stride", "pad"))
    max_forward(x.reshape(-1, *size), y, mask, *arguments, 1)
    return y.reshape(n, channels, *top), mask, arguments


@EACH_ISA
@settings(max_examples=80)
@given(case=CASES, threads=st.sampled_from([1, 3]))
def test_max_pooling_equals_the_nchw_kernel(instructions: str, case: tuple[Windows, Array, str], threads: int) -> None:
    """The first of equal maxima wins, NaN wins over all others, and the gradient goes to the winner."""
    (w, x, mode), kernels = case, machine_with(instructions).kernels
    expected, mask, arguments = by_nchw_kernel(x, w, mode)
    y = np.zeros((x.shape[0], -(-x.shape[1] // 16), *expected.shape[2:], 16), np.float32)
    place = np.full(y.shape, 255, np.uint8)
    kernels.max_pool(blocked(x), y, place, *arguments, threads)
    np.testing.assert_array_equal(unblocked(y, x.shape[1]), expected)

    without = np.ones_like(y)
    kernels.max_pool(blocked(x), without, np.empty((0,) * 5, np.uint8), *arguments, threads)
    np.testing.assert_array_equal(without, y)

    dy = np.random.default_rng(0).integers(1, 9, expected.shape).astype(np.float32)
    dx = np.zeros((mask.shape[0], *x.shape[2:]), np.float32)
    max_backward(dy.reshape(mask.shape), mask, dx, 1)
    with guarded(*blocked(x).shape) as found:
        kernels.max_pool_backward(blocked(dy), place, found, *arguments, threads)
    np.testing.assert_array_equal(unblocked(found, x.shape[1]), dx.reshape(x.shape))


@EACH_ISA
@settings(max_examples=80)
@given(
    shape=st.tuples(st.integers(1, 2), st.integers(1, 20), st.integers(1, 14), st.integers(1, 14)),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    stride=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    pad=st.tuples(st.integers(0, 4), st.integers(0, 4)),
    top=st.tuples(st.integers(1, 8), st.integers(1, 8)),
    threads=st.sampled_from([1, 3]),
)
def test_average_pooling_equals_the_nchw_kernel(
    instructions: str, shape: tuple[int, ...], kernel: tuple[int, int], stride: tuple[int, int],
    pad: tuple[int, int], top: tuple[int, int], threads: int,
) -> None:  # fmt: skip
    """For any number of windows, including some outside the picture."""
    kernels, (n, channels, *size) = machine_with(instructions).kernels, shape
    x, dy = normal(0, *shape), normal(1, n, channels, *top)
    windows = kernel, stride, pad
    expected, dx = np.empty((n * channels, *top), np.float32), np.zeros((n * channels, *size), np.float32)
    ave_forward(x.reshape(-1, *size), expected, *windows, 1)
    with guarded(*blocked(dy).shape) as y:
        kernels.average_pool(blocked(x), y, *windows, threads)
    np.testing.assert_allclose(unblocked(y, channels), expected.reshape(dy.shape), atol=1e-6)
    ave_backward(dy.reshape(-1, *top), dx, *windows, 1)
    with guarded(*blocked(x).shape) as found:
        kernels.average_pool_backward(blocked(dy), found, *windows, threads)
    np.testing.assert_allclose(unblocked(found, channels), dx.reshape(shape), atol=1e-5)


@EACH_ISA
def test_the_first_of_equal_maxima_wins(instructions: str) -> None:
    kernels, x = machine_with(instructions).kernels, np.zeros((1, 1, 4, 4), np.float32)
    y, place = np.zeros((1, 1, 2, 2, 16), np.float32), np.zeros((1, 1, 2, 2, 16), np.uint8)
    windows = (2, 2), (2, 2), (0, 0)
    kernels.max_pool(blocked(x), y, place, *windows, 1)
    dx = np.ones((1, 1, 4, 4, 16), np.float32)
    kernels.max_pool_backward(np.ones_like(y), place, dx, *windows, 1)
    np.testing.assert_array_equal(dx[0, 0, :, :, 0], np.kron(np.ones((2, 2)), [[1, 0], [0, 0]]))


@EACH_ISA
def test_arrays_that_do_not_fit_are_refused(instructions: str) -> None:
    kernels, x, y = machine_with(instructions).kernels, blocked(normal(0, 1, 16, 4, 4)), blocked(normal(0, 1, 16, 2, 2))
    place, windows = np.zeros(y.shape, np.uint8), ((2, 2), (2, 2), (0, 0))
    kernels.max_pool(x, y, place, *windows, 1)
    for arrays in ((x, blocked(normal(0, 2, 16, 2, 2)), place), (x, y, np.zeros((1, 1, 2, 1, 16), np.uint8))):
        with pytest.raises(ValueError, match="does not fit"):
            kernels.max_pool(*arrays, *windows, 1)
    with pytest.raises(ValueError, match="does not fit"):
        kernels.max_pool_backward(y, place[:, :, :1].copy(), x, *windows, 1)
    for average in (kernels.average_pool, kernels.average_pool_backward):
        with pytest.raises(ValueError, match="does not fit"):
            average(x, blocked(normal(0, 1, 32, 4, 4)), *windows, 1)


@pytest.mark.parametrize(
    ("options", "suits"),
    [
        ({"kernel_size": 2, "stride": 2}, True),
        ({"kernel_size": 3, "stride": 2, "pad": 1}, True),
        ({"kernel_size": 15, "stride": 1}, True),
        ({"kernel_size": 16, "stride": 1}, False),  # too many places for a byte
        ({"kernel_size": 1, "stride": 2}, False),  # windows may be empty
        ({"kernel_size": 2, "stride": 2, "pool": "AVE"}, False),
        ({"global_pooling": True}, False),
    ],
)
def test_the_layers_that_max_pooling_suits(options: dict[str, object], suits: bool) -> None:
    layer = create(LayerSpec("pool", "Pooling", ("x",), ("y",), options), "TEST")
    assert MaxPooling.suits(layer) == suits
    assert AveragePooling.suits(layer) == (options.get("pool") == "AVE")


@st.composite
def unpooled(draw: Draw) -> tuple[NetSpec, tuple[int, ...]]:
    """A max pooling with places, and layers that read them, for `data` of the shape."""
    shape = (draw(st.integers(1, 2)), draw(st.integers(1, 20)), draw(st.integers(4, 15)), draw(st.integers(4, 15)))
    size = draw(st.integers(2, 3))
    options: dict[str, Any] = {
        "kernel_size": size,
        "stride": draw(st.integers(1, size)),
        "pad": draw(st.integers(0, 1)),
    }
    pooling = LayerSpec("pool", "Pooling", ("data",), ("y", "places"), options)
    up = layer("up", "Upsample", ("y", "places"), upsample_h=shape[2], upsample_w=shape[3])
    other = layer("other", "Unpooling", ("y", "places"), unpool_h=shape[2] + 2, unpool_w=shape[3])
    return spec_of(shape, pooling, up, other), shape


@settings(max_examples=30)
@given(drawn=unpooled(), seed=st.integers(0, 99))
def test_values_return_to_the_places_of_the_maxima(drawn: tuple[NetSpec, tuple[int, ...]], seed: int) -> None:
    spec, shape = drawn
    net = filled(spec)
    plan = assert_same_outputs(net, {"data": normal(seed, *shape)}, ["y", "places", "up", "other"])
    assert type(does(plan, "pool")) is MaxPooling
    assert all(type(does(plan, name)) is MaxUnpooling for name in ("up", "other"))


def test_in_training_places_are_left_to_the_layer() -> None:
    pooling = LayerSpec("pool", "Pooling", ("data",), ("y", "places"), {"kernel_size": 2, "stride": 2})
    up = layer("up", "Upsample", ("y", "places"), scale=2)
    assert_same_gradients(filled(spec_of((1, 3, 6, 8), pooling, up)), {"data": normal(0, 1, 3, 6, 8)})


@pytest.mark.parametrize("wrong", [-1.0, 24.0, 2.5, np.nan])
def test_a_place_outside_the_plane_is_the_layer_s_error(wrong: float) -> None:
    spec = layer("up", "Upsample", ("data", "places"), scale=2)
    places = LayerSpec("mask", "Input", top=("places",), options={"shape": [{"dim": [1, 2, 2, 3]}]})
    net = filled(NetSpec("made", (*spec_of((1, 2, 2, 3)).layers, places, spec)))
    mask = np.zeros((1, 2, 2, 3), np.float32)
    mask[0, 1, 1, 2] = wrong
    with pytest.raises(DataError, match=r"'up' \(Upsample\).*the mask holds") as raised:
        net.forward(data=mask, places=mask)
    with pytest.raises(DataError) as expected:
        reference_net(net).forward(data=mask, places=mask)
    assert str(raised.value) == str(expected.value)
