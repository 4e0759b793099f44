"""Convolution problems for one algorithm on one instruction set, and their results by NumPy."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from fcnlite._kernels import isa
from fcnlite.arrays import Array
from fcnlite.compiler.arena import Arena, Outputs
from fcnlite.compiler.convolution.problem import Problem
from fcnlite.compiler.ir import BLOCK, blocks
from fcnlite.compiler.machine import Machine
from fcnlite.description.shapes import Window
from fcnlite.engine.state import State
from tests.compiler.path_comparison import assert_near
from tests.random_nets import FLAG, Draw

ISAS = isa.available()
"""The instruction sets of this machine."""
GUARD = 64
"""Floats before and after an output that must not be written."""
EACH_ISA = pytest.mark.parametrize("instructions", ISAS)
THREADS = st.sampled_from([1, 1, 3])
SEEDS = st.integers(0, 1000)
BAR = 1e-5
"""The allowed error of plain sums, relative to the largest output of one layer."""
WEIGHT_BAR = 3e-5
"""The same for the gradient of a weight."""
CHANNELS = st.one_of(st.integers(1, 20), st.integers(1, 70))


def machine_with(instructions: str, threads: int = 1) -> Machine:
    """A machine with kernels, but without parameters."""
    kernels = importlib.import_module(f"fcnlite._kernels.fast_{instructions}")
    return Machine(State("TEST", np.dtype(np.float32), 0), kernels, threads, {}, Arena(), Outputs())


# Drawing


@st.composite
def sources(draw: Draw, least: int = 1, most: int = 30) -> tuple[Array, int]:
    """The array's row for each row of a picture (in order, some repeated, zeros at the ends), and the array's size."""
    size = draw(st.integers(least, most))
    rows = np.arange(size)
    if draw(st.integers(0, 3)) == 0:
        repeated = draw(st.integers(0, size - 1))
        rows = np.insert(rows, repeated, [repeated] * draw(st.integers(1, 5)))
        rows = np.concatenate([[-1] * draw(st.integers(0, 2)), rows, [-1] * draw(st.integers(0, 2))]).astype(int)
    return rows, size


@st.composite
def problems(
    draw: Draw, windows: Callable[[Draw], tuple[Window, Window]], group: bool = False, thin: bool = False
) -> Problem:
    """A problem with these windows, and a picture in which they fit."""
    kernel = windows(draw)
    spans = [draw(sources(max(1, each.extent - 2 * each.pad), 30 + each.extent)) for each in kernel]
    channels, outputs, groups = draw(st.integers(1, 4) if thin else CHANNELS), draw(CHANNELS), 1
    if group:
        groups = draw(st.integers(2, 3))
        channels, outputs = (groups * BLOCK * draw(st.integers(1, 2)) for _ in range(2))
    return Problem(
        draw(st.integers(1, 3)),
        channels,
        outputs,
        kernel,
        (spans[0][0], spans[1][0]),
        (spans[0][1], spans[1][1]),
        groups,
        relu=draw(FLAG),
    )


def any_windows(draw: Draw) -> tuple[Window, Window]:
    def one() -> Window:
        kernel = draw(st.integers(1, 7))
        pad = draw(st.sampled_from([0, 0, 1, kernel // 2, kernel, 30, -1]))
        return Window(kernel, draw(st.sampled_from([1, 1, 2, 3])), pad, draw(st.sampled_from([1, 1, 2, 3, 7])))

    rows = one()
    return rows, (rows if draw(FLAG) else one())


def one_by_one(draw: Draw) -> tuple[Window, Window]:
    window = Window(1, draw(st.sampled_from([1, 1, 2])), draw(st.sampled_from([0, 0, 1, -1])))
    return window, window


def of_stride_one(draw: Draw) -> tuple[Window, Window]:
    rows, columns = (Window(draw(st.integers(1, 5)), 1, draw(st.integers(0, 4)), draw(st.integers(1, 2))) for _ in "hw")
    return rows, columns


# Results by NumPy


def patches(p: Problem, x: Array) -> Array:
    """The patch under the window of each output: N×C×H'×W'×KH×KW, in float64."""
    for axis, (rows, window) in enumerate(zip(p.sources, p.windows, strict=True), start=2):
        zeros = np.zeros_like(x.take([0], axis))
        rows = np.concatenate([np.full(max(window.pad, 0), -1), rows, np.full(max(window.pad, 0), -1)])
        cut = max(-window.pad, 0)
        x = np.concatenate([x, zeros], axis).take(rows[cut : len(rows) - cut], axis)  # −1 is the zeros
    rows, columns = p.windows
    seen = sliding_window_view(x.astype(np.float64), (rows.extent, columns.extent), axis=(2, 3))
    return seen[:, :, :: rows.stride, :: columns.stride, :: rows.dilation, :: columns.dilation]


def convolved(p: Problem, x: Array, weight: Array, bias: Array, slopes: Array | None = None) -> Array:
    """The outputs of `p`, including its ReLU (or PReLU, with slopes) and 2×2 pooling."""
    seen, parts = patches(p, x), []
    for ours, kernels in zip(np.split(seen, p.group, axis=1), np.split(weight, p.group), strict=True):
        parts.append(np.einsum("nchwij,ocij->nohw", ours, kernels, optimize=True))
    y = np.concatenate(parts, axis=1) + bias[:, None, None]
    if p.relu:
        y = np.where(y > 0, y, 0 if slopes is None else y * slopes[:, None, None])
    if not p.pool:
        return y
    height, width = y.shape[2:]
    y = np.pad(y, ((0, 0), (0, 0), (0, height % 2), (0, width % 2)), constant_values=-np.inf)
    return y.reshape(*y.shape[:2], (height + 1) // 2, 2, (width + 1) // 2, 2).max(axis=(3, 5))


def finished(p: Problem, y: Array, add: Array | None, slopes: Array | None) -> Array:
    """Outputs without a rectifier, plus `add`, then the rectifier of `p` (a PReLU, with slopes) and its limit."""
    y = y if add is None else y + add
    if p.relu:
        y = np.where(y > 0, y, 0 if slopes is None else y * slopes[:, None, None])
    return np.minimum(y, p.limit)


def weight_gradient(p: Problem, x: Array, dy: Array) -> Array:
    """The gradient of the weight, given that of the outputs."""
    parts = zip(np.split(patches(p, x), p.group, axis=1), np.split(dy, p.group, axis=1), strict=True)
    return np.concatenate([np.einsum("nchwij,nohw->ocij", seen, d, optimize=True) for seen, d in parts])


def bottom_gradient(p: Problem, dy: Array, weight: Array) -> Array:
    """The gradient of the bottom (one group): each output adds its filter, times its gradient, to its patch."""
    places = np.arange(p.size[0] * p.size[1], dtype=np.float64).reshape(1, 1, *p.size) + 1
    seen = patches(p, places)[0, 0].astype(int)  # the number of each pixel, 0 for none
    spread = np.einsum("nohw,ocij->nchwij", dy, weight, optimize=True)
    dx = np.zeros((p.batch, p.channels, p.size[0] * p.size[1] + 1))
    np.add.at(dx, (slice(None), slice(None), seen), spread)
    return dx[:, :, 1:].reshape(p.batch, p.channels, *p.size)


def transposed_filters(p: Problem, weight: Array) -> Array:
    """The filters of the problem `p.backward_data()`: each rotated by 180°, inputs and outputs exchanged."""
    return np.concatenate([part.swapaxes(0, 1)[:, :, ::-1, ::-1] for part in np.split(weight, p.group)])


def assert_sums_near(found: Array, expected: Array, sums: Array) -> None:
    """Compare outputs; the bar is relative to the largest of the `sums`, which a limit may cut off."""
    assert_near(found, expected, BAR * max(1, np.abs(sums).max() / max(np.abs(expected).max(), 1e-6)))


# Memory


def blocked(x: Array) -> Array:
    """N×C×H×W as N×C/16×H×W×16, by NumPy."""
    n, channels, *size = x.shape
    full = np.zeros((n, blocks(channels) * BLOCK, *size), np.float32)
    full[:, :channels] = x
    return np.ascontiguousarray(full.reshape(n, -1, BLOCK, *size).transpose(0, 1, 3, 4, 2))


def unblocked(y: Array, channels: int) -> Array:
    """The inverse; the channels that pad a block must be 0, since other operations rely on it."""
    n, count, height, width, _ = y.shape
    full = y.transpose(0, 1, 4, 2, 3).reshape(n, count * BLOCK, height, width)
    assert not full[:, channels:].any()
    return np.ascontiguousarray(full[:, :channels])


@contextmanager
def guarded(*shape: int) -> Iterator[Array]:
    """An array of NaN between guards. Fails unless all of it, and no guard, is written."""
    size = int(np.prod(shape))
    memory = np.full(size + 2 * GUARD, np.nan, np.float32)
    yield memory[GUARD : GUARD + size].reshape(shape)
    assert np.isnan(memory[:GUARD]).all() and np.isnan(memory[GUARD + size :]).all(), "written beyond the array"
    assert not np.isnan(memory[GUARD : GUARD + size]).any(), "not everything is written"


@contextmanager
def poisoned(floats: int) -> Iterator[Array]:
    """Scratch memory filled with NaN, between guards."""
    memory = np.full(floats + 2 * GUARD, np.nan, np.float32)
    yield memory[GUARD : GUARD + floats]
    assert np.isnan(memory[:GUARD]).all() and np.isnan(memory[GUARD + floats :]).all(), "written beyond the scratch"
