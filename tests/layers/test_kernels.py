"""The compiled kernels against NumPy, in float32 and float64, on one thread and several."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fcnlite import config
from fcnlite._kernels.pooling import nchw as pooling
from fcnlite._kernels.products import im2col
from fcnlite.arrays import Array
from fcnlite.description.shapes import Window
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.layers import banding
from fcnlite.net import Net
from tests.layers.examples import EXAMPLES, Example, input_layer

Pair = tuple[int, int]

TYPES = st.sampled_from([np.float32, np.float64])
THREADS = st.sampled_from([1, 2, 5])
SEEDS = st.integers(0, 10_000)
TINY = np.finfo(np.float32).min
"""The maximum of an empty window: −FLT_MAX."""


@st.composite
def geometries(draw: Any) -> tuple[tuple[int, int, int], tuple[Pair, Pair, Pair, Pair], Pair]:
    """A picture's shape; the window's size, stride, pad and dilation; the size of the output."""
    windows = [
        Window(draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(0, 3)), draw(st.integers(1, 3)))
        for _ in range(2)
    ]
    sizes = [max(1, each.extent - 2 * each.pad) + draw(st.integers(0, 6)) for each in windows]
    out = [(size + 2 * w.pad - w.extent) // w.stride + 1 for size, w in zip(sizes, windows, strict=True)]
    rows, columns = windows
    arguments = (
        (rows.size, columns.size),
        (rows.stride, columns.stride),
        (rows.pad, columns.pad),
        (rows.dilation, columns.dilation),
    )
    return (draw(st.integers(1, 3)), *sizes), arguments, (out[0], out[1])


def numpy_columns(x: Array, arguments: tuple[Pair, Pair, Pair, Pair], out: Pair) -> Array:
    """The definition in the kernel's docstring."""
    kernel, stride, pad, dilation = arguments
    padded = np.pad(x, ((0, 0), (pad[0],) * 2, (pad[1],) * 2))
    cols = np.empty((len(x), *kernel, *out), x.dtype)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            rows = i * dilation[0] + stride[0] * np.arange(out[0])
            columns = j * dilation[1] + stride[1] * np.arange(out[1])
            cols[:, i, j] = padded[:, rows[:, None], columns]
    return cols.reshape(len(x) * kernel[0] * kernel[1], out[0] * out[1])


@settings(max_examples=80)
@given(geometry=geometries(), dtype=TYPES, seed=SEEDS)
def test_im2col_is_its_definition(geometry: Any, dtype: Any, seed: int) -> None:
    shape, arguments, out = geometry
    x = np.random.default_rng(seed).normal(size=shape).astype(dtype)
    expected = numpy_columns(x, arguments, out)
    cols = np.full_like(expected, np.nan)
    im2col.im2col(x, cols, *arguments, out[1], 0, cols.shape[1])
    np.testing.assert_array_equal(cols, expected)


@settings(max_examples=60)
@given(geometry=geometries(), dtype=TYPES, seed=SEEDS, data=st.data())
def test_im2col_in_bands_is_the_whole(geometry: Any, dtype: Any, seed: int, data: st.DataObject) -> None:
    shape, arguments, out = geometry
    x = np.random.default_rng(seed).normal(size=shape).astype(dtype)
    expected = numpy_columns(x, arguments, out)
    positions = expected.shape[1]
    cuts = sorted(data.draw(st.sets(st.integers(0, positions), max_size=4)) | {0, positions})
    bands = []
    for start, stop in itertools.pairwise(cuts):
        bands.append(np.full((len(expected), stop - start), np.nan, dtype))
        im2col.im2col(x, bands[-1], *arguments, out[1], start, stop)
    np.testing.assert_array_equal(np.concatenate(bands, axis=1), expected)


@settings(max_examples=80)
@given(geometry=geometries(), seed=SEEDS, data=st.data())
def test_col2im_is_the_transpose_in_bands_too(geometry: Any, seed: int, data: st.DataObject) -> None:
    """⟨im2col(x), c⟩ = ⟨x, col2im(c)⟩ for whole numbers, without rounding."""
    shape, arguments, out = geometry
    rng = np.random.default_rng(seed)
    x = rng.integers(-9, 9, shape).astype(np.float64)
    cols = numpy_columns(x, arguments, out)
    other = rng.integers(-9, 9, cols.shape).astype(np.float64)
    start = rng.integers(-9, 9, shape).astype(np.float64)
    cut = data.draw(st.integers(0, cols.shape[1]))
    for dtype in (np.float64, np.float32):
        back = start.astype(dtype)
        for first, last in ((0, cut), (cut, cols.shape[1])):
            band = np.ascontiguousarray(other[:, first:last], dtype)
            im2col.col2im(back, band, *arguments, out[1], first, last)
        assert (cols * other).sum() == (x * (back - start)).sum()  # it adds to what is there


def test_im2col_refuses_columns_of_another_shape() -> None:
    x = np.zeros((1, 3, 3))
    for wrong in ((4, 5), (3, 4)):
        for kernel in (im2col.im2col, im2col.col2im):
            with pytest.raises(ValueError, match="cols does not fit"):
                kernel(x, np.zeros(wrong), (2, 2), (1, 1), (0, 0), (1, 1), 2, 0, 4)


@st.composite
def pools(draw: Any) -> tuple[tuple[int, int, int], tuple[Pair, Pair, Pair], Pair]:
    """A picture's shape, the window's size, stride and pad, and an output size; windows may be outside the picture."""
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 8)), draw(st.integers(1, 8)))
    kernel, stride, pad = ((draw(s), draw(s)) for s in (st.integers(1, 4), st.integers(1, 4), st.integers(0, 2)))
    out = (draw(st.integers(1, 5)), draw(st.integers(1, 5)))
    for size, k, s, p, n in zip(shape[1:], kernel, stride, pad, out, strict=True):
        assume(p < k and (n - 1) * s - p <= size)  # as in a layer
    return shape, (kernel, stride, pad), out


def window(y: int, axis: int, size: int, arguments: tuple[Pair, Pair, Pair]) -> tuple[int, int, int]:
    """The first and last pixel of a window in the picture, and its length as AVE counts it."""
    kernel, stride, pad = (each[axis] for each in arguments)
    start = y * stride - pad
    stop = min(start + kernel, size + pad)
    return max(start, 0), min(stop, size), stop - start


def naive_pool(x: Array, arguments: Any, out: Pair, dtop: Array, maximum: bool) -> tuple[Array, Array]:
    """Top and bottom gradient, window by window."""
    top, dx = np.empty(dtop.shape), np.zeros(x.shape)
    for p, y, z in np.ndindex(dtop.shape):
        y0, y1, rows = window(y, 0, x.shape[1], arguments)
        z0, z1, columns = window(z, 1, x.shape[2], arguments)
        patch = x[p, y0:y1, z0:z1]
        if patch.size == 0:
            top[p, y, z] = TINY if maximum else 0
        elif maximum:
            place = int(np.argmax(patch))  # the first of equal ones; NaN before all others
            top[p, y, z] = patch.flat[place]
            dx[p, y0 + place // (z1 - z0), z0 + place % (z1 - z0)] += dtop[p, y, z]
        else:
            top[p, y, z] = patch.sum() / (rows * columns)
            dx[p, y0:y1, z0:z1] += dtop[p, y, z] / (rows * columns)
    return top, dx


@settings(max_examples=120)
@given(pool=pools(), dtype=TYPES, threads=THREADS, seed=SEEDS, nan=st.booleans())
def test_max_pooling_is_the_naive_loop(pool: Any, dtype: Any, threads: int, seed: int, nan: bool) -> None:
    shape, arguments, out = pool
    rng = np.random.default_rng(seed)
    x = rng.integers(-2, 2, shape).astype(dtype)  # many ties
    if nan:
        x[rng.random(shape) < 0.2] = np.nan
    dtop = rng.integers(1, 9, (shape[0], *out)).astype(dtype)
    top, mask = np.empty_like(dtop), np.empty(dtop.shape, np.int32)
    pooling.max_forward(x, top, mask, *arguments, threads)
    dx = np.zeros_like(x)
    pooling.max_backward(dtop, mask, dx, threads)
    expected_top, expected_dx = naive_pool(x, arguments, out, dtop, maximum=True)
    np.testing.assert_array_equal(top, expected_top)
    np.testing.assert_array_equal(dx, expected_dx)
    np.testing.assert_array_equal(mask == -1, expected_top == TINY)


@settings(max_examples=80)
@given(pool=pools(), dtype=TYPES, threads=THREADS, seed=SEEDS)
def test_average_pooling_is_the_naive_loop(pool: Any, dtype: Any, threads: int, seed: int) -> None:
    shape, arguments, out = pool
    rng = np.random.default_rng(seed)
    x, dtop = rng.normal(size=shape).astype(dtype), rng.normal(size=(shape[0], *out)).astype(dtype)
    top, dx = np.empty_like(dtop), np.zeros_like(x)
    pooling.ave_forward(x, top, *arguments, threads)
    pooling.ave_backward(dtop, dx, *arguments, threads)
    expected_top, expected_dx = naive_pool(x, arguments, out, dtop, maximum=False)
    np.testing.assert_allclose(top, expected_top, atol=1e-5)
    np.testing.assert_allclose(dx, expected_dx, atol=1e-5)


def test_all_minus_infinity_has_a_place() -> None:
    """A window of −∞ is not empty: its gradient goes to its first pixel."""
    x = np.full((1, 2, 2), -np.inf, np.float32)
    top, mask = np.empty((1, 1, 1), np.float32), np.empty((1, 1, 1), np.int32)
    pooling.max_forward(x, top, mask, (2, 2), (2, 2), (0, 0), 1)
    assert top[0, 0, 0] == -np.inf and mask[0, 0, 0] == 0


@contextmanager
def threads_of(count: int) -> Iterator[None]:
    before = config.num_threads()
    config.set_num_threads(count)
    try:
        yield
    finally:
        config.set_num_threads(before)


def passes(net: Net, inputs: dict[str, Array], threads: int) -> dict[str, Array]:
    """All arrays of a forward and a backward pass on this number of threads."""
    with threads_of(threads):
        top = net.forward(inputs, outputs=["y0"], keep=True)["y0"]
        net.backward(y0=np.cos(np.arange(top.size)).reshape(top.shape), wrt=["x0"])
        gradients = {str(i): each.grad.copy() for i, each in enumerate(net.params["layer"])}
    return {"top": top, "bottom": net.grads["x0"], **gradients}


@pytest.mark.parametrize("type_", ["Convolution", "Deconvolution"])
@settings(max_examples=15)
@given(data=st.data())
def test_threads_share_the_work_and_change_nothing(type_: str, data: st.DataObject) -> None:
    """Another number of threads gives equal results within rounding; the same number gives the same bits."""
    example = data.draw(EXAMPLES[type_])
    net, inputs = example.net("float32"), example.inputs()
    alone = passes(net, inputs, 1)
    for threads in (2, 3, 7):
        found = passes(net, inputs, threads)
        again = passes(net, inputs, threads)
        for name, array in alone.items():
            np.testing.assert_array_equal(again[name], found[name])
            np.testing.assert_allclose(found[name], array, rtol=0, atol=1e-6 * max(1, np.abs(array).max()))


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("group", [1, 2])
@pytest.mark.parametrize("type_", ["Convolution", "Deconvolution"])
def test_pictures_of_many_bands(type_: str, group: int, threads: int) -> None:
    """Bands only limit memory: small ones give the same result as one."""
    example = Example(
        type_, ((2, 4, 61, 53),), {"num_output": 6, "group": group, "kernel_size": [5], "pad": [2]}, seed=1
    )
    net, inputs = example.net("float64"), example.inputs()
    whole = passes(net, inputs, threads)
    with mock.patch.object(banding, "BAND_BYTES", 1 << 10), mock.patch.object(banding, "LEAST_BAND", 7):
        bands = passes(net, inputs, threads)
    for name, array in whole.items():
        np.testing.assert_allclose(bands[name], array, rtol=0, atol=1e-12 * np.abs(array).max())


@pytest.mark.parametrize("threads", [1, 2, 8])
@pytest.mark.parametrize("type_", ["Convolution", "Deconvolution"])
def test_scratch_memory_is_bounded(type_: str, threads: int) -> None:
    """All columns of this picture would take 162 MiB, or 81 MiB for the deconvolution."""
    assert config.SCRATCH_BYTES <= 64 << 20
    options = {"num_output": 1, "kernel_size": [9], "pad": [4], "weight_filler": {"type": "xavier"}}
    spec = NetSpec(
        layers=(input_layer("x", (1, 2, 8, 8)), LayerSpec("conv", type_, ("x",), ("y",), options)),
        force_backward=True,
    )
    net = Net(spec, path="plain")
    x = np.ones((1, 2, 512, 512), np.float32)
    dy = np.ones((1, 1, 512, 512), np.float32)
    tracemalloc.start()
    try:
        with threads_of(threads):
            net.forward(x=x, keep=True)
            forward = tracemalloc.get_traced_memory()[1]
            tracemalloc.reset_peak()
            net.backward(y=dy)
            backward = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert dy.nbytes < forward < dy.nbytes + (64 << 20)
    assert dy.nbytes + x.nbytes < backward < dy.nbytes + x.nbytes + (64 << 20)
