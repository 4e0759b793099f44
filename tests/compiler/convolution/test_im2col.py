"""Convolution by im2col and BLAS, against NumPy, and its selection."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcnlite import config
from fcnlite._kernels.blas import blas_kernels
from fcnlite.arrays import Array
from fcnlite.compiler.convolution import im2col
from fcnlite.compiler.convolution.algorithms import candidates, cheapest
from fcnlite.compiler.convolution.im2col import Im2col
from fcnlite.compiler.convolution.problem import Problem, with_biases
from fcnlite.description.shapes import Window
from fcnlite.threads import blas_alone
from tests.compiler.convolution.problems import (
    BAR,
    ISAS,
    SEEDS,
    THREADS,
    WEIGHT_BAR,
    any_windows,
    convolved,
    guarded,
    machine_with,
    of_stride_one,
    one_by_one,
    poisoned,
    problems,
    transposed_filters,
    weight_gradient,
)
from tests.compiler.path_comparison import assert_near, normal
from tests.random_nets import Draw

BANDS = st.sampled_from([None, (1, 1), (1 << 12, 7)])
"""BAND_BYTES and LEAST_BAND, so that small problems are divided into many bands."""


@st.composite
def in_odd_groups(draw: Draw) -> Problem:
    """Groups that split blocks of channels, up to one group for each channel."""
    p = draw(problems(any_windows))
    group = draw(st.sampled_from([1, 2, 3, 7, 20]))
    channels, outputs = (group * draw(st.integers(1, 6)) for _ in range(2))
    return Problem(p.batch, channels, outputs, p.windows, p.sources, p.size, group, relu=p.relu)


ANY = st.one_of(in_odd_groups(), problems(any_windows), problems(one_by_one))


def weight_of(p: Problem, seed: int) -> Array:
    return normal(seed, p.outputs, p.channels // p.group, p.windows[0].size, p.windows[1].size)


def run(
    p: Problem, x: Array, weight: Array, bias: Array | None, threads: int, bands: tuple[int, int] | None = None,
    transposed: bool = False, slopes: Array | None = None,
) -> Array:  # fmt: skip
    algorithm, machine = Im2col(), machine_with(ISAS[0], threads)
    u = algorithm.prepare(weight, p, machine, transposed=transposed)
    with pytest.MonkeyPatch.context() as patch, blas_alone():
        if bands is not None:
            patch.setattr(im2col, "BAND_BYTES", bands[0])
            patch.setattr(im2col, "LEAST_BAND", bands[1])
        work = algorithm.set_up(p, machine)
        with guarded(p.batch, p.outputs, *p.top_size) as y, poisoned(work.scratch) as scratch:
            algorithm.forward(x, y, with_biases(u, bias, slopes, p), p, work, scratch, machine)
    return y


@settings(max_examples=150)
@given(p=ANY, threads=THREADS, bands=BANDS, seed=SEEDS)
def test_any_convolution(p: Problem, threads: int, bands: tuple[int, int] | None, seed: int) -> None:
    x, weight, bias = normal(seed, p.batch, p.channels, *p.size), weight_of(p, seed + 1), normal(seed + 2, p.outputs)
    for slopes in (None, normal(seed + 3, p.outputs)) if p.relu else (None,):
        found = run(p, x, weight, bias, threads, bands, slopes=slopes)
        assert_near(found, convolved(p, x, weight, bias, slopes), BAR)


@settings(max_examples=100)
@given(p=ANY, threads=THREADS, bands=BANDS, alone=st.booleans(), seed=SEEDS)
def test_gradient_of_the_weight(
    p: Problem, threads: int, bands: tuple[int, int] | None, alone: bool, seed: int
) -> None:
    """`alone` makes threads divide the outputs, as for a very large weight."""
    algorithm, machine = Im2col(), machine_with(ISAS[0], threads)
    x, dy = normal(seed, p.batch, p.channels, *p.size), normal(seed + 1, p.batch, p.outputs, *p.top_size)
    with pytest.MonkeyPatch.context() as patch, blas_alone():
        if bands is not None:
            patch.setattr(im2col, "BAND_BYTES", bands[0])
            patch.setattr(im2col, "LEAST_BAND", bands[1])
        if alone:
            patch.setattr(im2col, "SUM_BYTES", 0)
        work = algorithm.set_up(p, machine)
        with (
            guarded(*weight_of(p, seed).shape) as dweight,
            poisoned(algorithm.backward_weights_scratch(p, machine)) as scratch,
        ):
            algorithm.backward_weights(x, dy, dweight, p, work, scratch, machine)
    assert_near(dweight, weight_gradient(p, x, dy), WEIGHT_BAR)


@settings(max_examples=60)
@given(p=problems(of_stride_one), group=st.sampled_from([1, 2, 3, 10]), threads=THREADS, seed=SEEDS)
def test_backward_data_is_a_convolution_with_transposed_filters(
    p: Problem, group: int, threads: int, seed: int
) -> None:
    p = Problem(p.batch, 2 * group, 3 * group, p.windows, tuple(map(np.arange, p.size)), p.size, group)  # type: ignore[arg-type]
    if min(len(s) + 2 * w.pad - w.extent for s, w in zip(p.sources, p.windows, strict=True)) < 0:
        return
    dy, weight = normal(seed, p.batch, p.outputs, *p.top_size), weight_of(p, seed)
    found = run(p.backward_data(), dy, weight, None, threads, transposed=True)
    assert_near(found, convolved(p.backward_data(), dy, transposed_filters(p, weight), np.zeros(p.channels)), BAR)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_repeated_runs_give_the_same_bytes(threads: int) -> None:
    p = Problem(2, 6, 9, (Window(3, pad=1),) * 2, (np.arange(40), np.arange(33)), (40, 33), 3)
    x, weight, bias = normal(0, 2, 6, 40, 33), weight_of(p, 1), normal(2, 9)
    first, *others = (run(p, x, weight, bias, threads, (1, 100)) for _ in range(4))
    for other in others:
        np.testing.assert_array_equal(other, first)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_reach_only_outputs_that_depend_on_them(value: float) -> None:
    p = Problem(1, 4, 4, (Window(3, pad=1),) * 2, (np.arange(9), np.arange(11)), (9, 11), 2, relu=True)
    x, weight = normal(0, 1, 4, 9, 11), np.abs(weight_of(p, 1))
    x[0, 1, 4, 5] = value
    algorithm, machine = Im2col(), machine_with(ISAS[0])
    work = algorithm.set_up(p, machine)
    scratch, y = np.zeros(work.scratch, np.float32), np.zeros((1, 4, 9, 11), np.float32)
    u = algorithm.prepare(weight, p, machine)
    algorithm.forward(x, y, with_biases(u, normal(2, 4), None, p), p, work, scratch, machine)
    expected = np.zeros((1, 4, 9, 11), bool)
    expected[:, :2, 3:6, 4:7] = True
    if value == -np.inf:
        assert np.isfinite(y).all() and not y[expected].any()
    else:
        np.testing.assert_array_equal(~np.isfinite(y), expected)


def test_arrays_that_do_not_fit_are_refused() -> None:
    p = Problem(1, 4, 6, (Window(3, pad=1),) * 2, (np.arange(9), np.arange(11)), (9, 11), 2)
    x, weight, bias = normal(0, 1, 4, 9, 11), weight_of(p, 1), normal(2, 6)
    for wrong in (
        {"x": x[:, :2].copy()}, {"x": np.concatenate([x, x])}, {"weight": weight[:4]}, {"weight": weight[:, :1].copy()},
    ):  # fmt: skip
        arguments = {"x": x, "weight": weight} | wrong
        algorithm, machine = Im2col(), machine_with(ISAS[0])
        work = algorithm.set_up(p, machine)
        scratch = np.zeros(work.scratch, np.float32)
        w = arguments["weight"].reshape(2, len(arguments["weight"]) // 2, -1)
        with pytest.raises(ValueError, match="does not fit"):
            algorithm.forward(
                arguments["x"],
                np.zeros((1, 6, 9, 11), np.float32),
                with_biases(w, bias, None, p),
                p,
                work,
                scratch,
                machine,
            )


@pytest.mark.parametrize("kernel", [1, 3, 1201])
@pytest.mark.parametrize("threads", [1, 2, 64])
def test_columns_are_bounded(kernel: int, threads: int) -> None:
    windows = (Window(kernel, pad=kernel // 2),) * 2
    p = Problem(1, 2, 2, windows, (np.arange(1300), np.arange(1300)), (1300, 1300), 2)
    work = Im2col().set_up(p, machine_with(ISAS[0], threads))
    assert work.band >= 1 and 4 * work.scratch <= max(config.SCRATCH_BYTES, 4 * threads * kernel**2)


# Selection


@pytest.mark.parametrize(
    ("channels", "outputs", "group", "chosen"),
    [
        (64, 64, 2, False),
        (24, 24, 2, True),
        (32, 16, 2, True),
        (64, 128, 64, True),
        (64, 64, 1, False),
        (5, 7, 1, True),
    ],
)
def test_the_cost_model_selects_it(channels: int, outputs: int, group: int, chosen: bool) -> None:
    """Selected if groups split blocks of channels, or if few channels leave most of a block empty."""
    p = Problem(1, channels, outputs, (Window(3, pad=1),) * 2, (np.arange(50), np.arange(50)), (50, 50), group)
    assert Im2col() in candidates(p)
    assert (cheapest(p, machine_with(ISAS[0]), candidates(p)) == Im2col()) == chosen


def test_its_blas_is_limited_to_one_thread_like_the_others() -> None:
    """Even if it is loaded later than the others, while they are limited."""

    def threads() -> dict[str, int]:
        return {each["filepath"]: each["num_threads"] for each in config.blas().info() if each["user_api"] == "blas"}

    before = threads()
    with blas_alone():
        blas_kernels.cache_clear()
        blas_kernels()
        assert set(threads().values()) == {1}
        with blas_alone():
            pass
        assert set(threads().values()) == {1}
    assert len(threads()) >= 2 and before.items() <= threads().items()
