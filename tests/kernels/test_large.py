"""Arrays of more than 2³¹ numbers: every index and offset has 64 bits.

The arrays are zeros that the system has not given memory yet; the kernels touch a few pages of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fcnlite._kernels.products.im2col import col2im, im2col

from fcnlite._kernels.pooling import nchw
from fcnlite.arrays import Array
from fcnlite.description.shapes import Window
from fcnlite.description.spec import LayerSpec
from fcnlite.layers import create
from tests.compiler.convolution.problems import EACH_ISA, machine_with

WIDTH = 1 << 15
HEIGHT = (1 << 16) + 3
"""Rows of a plane of more than 2³¹ numbers."""
BLOCKED_HEIGHT = HEIGHT // 16 + 1


def plane() -> Array:
    """A large plane, whose last row counts from 1."""
    x = np.zeros((HEIGHT, WIDTH), np.float32)
    assert x.size > 1 << 31
    x[-1] = np.arange(1, WIDTH + 1)
    return x


def blocked() -> Array:
    """A large blocked array, whose last row counts from 1."""
    x = np.zeros((1, 1, BLOCKED_HEIGHT, WIDTH, 16), np.float32)
    assert x.size > 1 << 31
    x[..., -1, :, :] = np.arange(1, 16 * WIDTH + 1).reshape(WIDTH, 16)
    return x


def kernels(instructions: str) -> Any:
    return machine_with(instructions).kernels


def places(*numbers: int) -> Array:
    return np.array(numbers, np.int32)


@EACH_ISA
def test_rows_of_a_large_map_are_interpolated(instructions: str) -> None:
    x, y, one = plane(), np.empty((1, 1, 4, 1), np.float32), np.ones((1, 1), np.float32)
    taps, weights = places(0, 1, WIDTH - 2, WIDTH - 1).reshape(4, 1), np.ones((4, 1), np.float32)
    none = np.empty((0, 0, 0, 0), np.float32)
    last = places(HEIGHT - 1).reshape(1, 1)
    kernels(instructions).interpolate(x[None, :, :, None], last, one, taps, weights, none, 0, 0, y, 2)
    assert y.ravel().tolist() == [1, 2, WIDTH - 1, WIDTH]


@EACH_ISA
def test_a_large_map_gets_a_border(instructions: str) -> None:
    x, border, y = plane(), np.full((1, 1, 1, 1), 7, np.float32), np.empty((1, 2, 3, 1), np.float32)
    rows, cols, zeros = places(HEIGHT - 1, -1), places(0, WIDTH - 1, -1), places(0, 0, 0)
    kernels(instructions).add_border(x[None, :, :, None], border, rows, cols, zeros[:2], zeros, y, 2)
    assert y.ravel().tolist() == [1, WIDTH, 7, 7, 7, 7]


@EACH_ISA
@pytest.mark.parametrize(("name", "expected"), [("max_pool", 32), ("average_pool", 24)])
def test_a_large_map_is_pooled(instructions: str, name: str, expected: float) -> None:
    """Two windows of 1×2 pixels: in the first row, of zeros, and in the last row."""
    x, y = blocked(), np.empty((1, 1, 2, 1, 16), np.float32)
    place = [np.empty(y.shape, np.uint8)] if name == "max_pool" else []
    getattr(kernels(instructions), name)(x, y, *place, (1, 2), (BLOCKED_HEIGHT - 1, 1), (0, 0), 2)
    assert y[0, 0, :, 0, 15].tolist() == [0, expected]


@EACH_ISA
def test_repeats_of_a_large_map_are_summed(instructions: str) -> None:
    x, y = plane(), np.empty((1, 1, 1, 1, 1), np.float32)
    starts, rows, columns = np.array([0, 1]), np.array([HEIGHT - 1]), np.array([0, WIDTH - 1])
    kernels(instructions).sum_repeats(x[None, None, :, :, None], starts, rows, np.array([0, 2]), columns, y, 2)
    assert y.item() == WIDTH + 1


@EACH_ISA
def test_margins_of_a_large_map_are_filled(instructions: str) -> None:
    y = blocked()
    values = np.arange(16, dtype=np.float32)
    kernels(instructions).fill_margins(values, (0, 1), (0, 0), y, 2)
    assert (y[0, 0, -1] == values).all()
    assert not y[0, 0, -2].any()


@EACH_ISA
def test_the_last_channels_of_a_large_map_are_taken(instructions: str) -> None:
    """Each of 2¹⁶ blocks has 2¹⁵ numbers and more."""
    x, y = np.zeros((1, (1 << 16) + 1, 1, 1 << 11, 16), np.float32), np.empty((1, 1, 1, 1 << 11, 16), np.float32)
    x[0, -1] = 5
    kernels(instructions).take_channels(x, (1 << 20), 16, y, 2)
    assert (y == 5).all()


@EACH_ISA
def test_a_direct_convolution_reads_the_end_of_a_large_map(instructions: str) -> None:
    """A window of 1×1 with a stride of nearly the height: two rows of outputs, each of the sum of 16 channels."""
    x, module = blocked(), kernels(instructions)
    width = 2 * module.panel_rows()
    u = np.zeros(16 * 32, np.float32)
    module.prepare_direct(np.ones((16, 16, 1, 1), np.float32), u, False, False, 1)
    y, none = np.empty((1, 1, 2, width, 16), np.float32), np.empty(0, np.float32)
    module.direct_forward(
        x.reshape(-1), x.shape[:4], u, np.zeros(32, np.float32), none, np.empty((0,) * 5, np.float32), y,
        np.arange(BLOCKED_HEIGHT, dtype=np.int32), np.arange(WIDTH, dtype=np.int32), np.zeros(1, np.int64),
        blocks=(0, 1, 0, 1), top_size=(2, width), place=(0, 0), spread=(1, 1), length=16, extent_h=1, dilation_h=1,
        stride=(BLOCKED_HEIGHT - 1, 1), thin=False, relu=False, limit=np.inf, copied=False, panels_at_once=1,
        groups_at_once=1, scratch=none, threads=2,
    )  # fmt: skip
    assert not y[0, 0, 0].any()
    np.testing.assert_allclose(y[0, 0, 1], np.repeat(x[0, 0, -1, :width].sum(axis=1, keepdims=True), 16, 1), rtol=1e-6)


@pytest.mark.parametrize("kernel", [im2col, col2im])
def test_columns_of_the_end_of_a_large_map(kernel: Callable[..., None]) -> None:
    x, positions = plane()[None], HEIGHT * WIDTH
    cols = np.full((1, 3), 2, np.float32)
    if kernel is im2col:
        im2col(x, cols, (1, 1), (1, 1), (0, 0), (1, 1), WIDTH, positions - 3, positions)
        assert cols[0].tolist() == [WIDTH - 2, WIDTH - 1, WIDTH]
    else:
        col2im(x, cols, (1, 1), (1, 1), (0, 0), (1, 1), WIDTH, positions - 3, positions)
        assert x[0, -1, -4:].tolist() == [WIDTH - 3, WIDTH, WIDTH + 1, WIDTH + 2]


def test_the_reference_path_pools_the_end_of_a_large_map() -> None:
    x, top = plane()[None], np.empty((1, 2, 1), np.float32)
    nchw.ave_forward(x, top, (1, 2), (HEIGHT - 1, 1), (0, 0), 1)
    assert top.ravel().tolist() == [0, 1.5]


def test_a_place_that_an_int_cannot_hold_is_refused() -> None:
    x, top = plane()[None], np.empty((1, 2, 1), np.float32)
    with pytest.raises(ValueError, match="x, of too many pixels, does not fit"):
        nchw.max_forward(x, top, np.empty(top.shape, np.int32), (1, 2), (HEIGHT - 1, 1), (0, 0), 1)


@pytest.mark.parametrize("size", [2**31 - 1, 2**31, 2**31 + 1, 2**32, 2**32 + 1])
def test_shapes_around_the_limits_of_integers(size: int) -> None:
    """Python's integers do not overflow: the formulas of Caffe hold for any size."""
    options = {"num_output": 2, "kernel_size": [3], "stride": [2], "pad": [1]}
    convolution = create(LayerSpec("c", "Convolution", ("x",), ("y",), options), "TEST")
    (shape,) = convolution.top_shapes((1, 1, size, 5))
    assert shape == (1, 2, (size + 2 - 3) // 2 + 1, 3)
    assert Window(3, 2, 1).pooled(size, "CEIL", True) == -(-(size + 2 - 3) // 2) + 1
