"""Direct convolution against NumPy, on every instruction set."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcnlite.arrays import Array
from fcnlite.compiler.convolution import direct
from fcnlite.compiler.convolution.algorithms import candidates, cheapest
from fcnlite.compiler.convolution.direct import Direct, PatchesWork, Streamed
from fcnlite.compiler.convolution.problem import Problem, with_biases
from fcnlite.compiler.convolution.winograd import Winograd
from fcnlite.description.shapes import Window
from tests.compiler.convolution.problems import (
    BAR,
    EACH_ISA,
    ISAS,
    SEEDS,
    THREADS,
    WEIGHT_BAR,
    any_windows,
    assert_sums_near,
    blocked,
    convolved,
    finished,
    guarded,
    machine_with,
    of_stride_one,
    one_by_one,
    poisoned,
    problems,
    transposed_filters,
    unblocked,
    weight_gradient,
)
from tests.compiler.path_comparison import assert_near, normal

PORTIONS = st.sampled_from([None, (1, 1 << 30), (1, 0), (1 << 12, 1 << 30)])
"""PIECE_BYTES, and the other limits in bytes, with small PATCHES: small problems are divided in all the ways of large
ones."""


def run(
    p: Problem, x: Array, weight: Array, bias: Array | None, instructions: str, threads: int = 1, thin: bool = False,
    transposed: bool = False, portions: tuple[int, int] | None = None, slopes: Array | None = None,
    add: Array | None = None,
) -> Array:  # fmt: skip
    algorithm, machine = Direct(thin), machine_with(instructions, threads)
    assert algorithm.suits(p)
    u = algorithm.prepare(weight, p, machine, transposed=transposed)
    with pytest.MonkeyPatch.context() as patch:
        if portions is not None:
            patch.setattr(direct, "PIECE_BYTES", portions[0])
            patch.setattr(direct, "FEW_BYTES", portions[1])
            patch.setattr(direct, "MANY_BYTES", portions[1])
            patch.setattr(direct, "PATCHES", 20)
        work = algorithm.set_up(p, machine)
    with guarded(p.batch, -(-p.outputs // 16), *p.top_size, 16) as y, poisoned(work.scratch) as scratch:
        weights, summand = with_biases(u, bias, slopes, p), None if add is None else blocked(add)
        algorithm.forward(x if thin else blocked(x), y, weights, p, work, scratch, machine, summand)
    return unblocked(y, p.outputs)


def check(p: Problem, seed: int, instructions: str, threads: int, add: bool = False, **how: object) -> None:
    kernel = p.windows[0].size, p.windows[1].size
    x, weight = normal(seed, p.batch, p.channels, *p.size), normal(seed + 1, p.outputs, p.channels // p.group, *kernel)
    bias = normal(seed + 2, p.outputs)
    expected = convolved(replace(p, relu=False), x, weight, bias)
    summand = normal(seed + 4, *expected.shape) if add else None
    for slopes in (None, normal(seed + 3, p.outputs)) if p.relu else (None,):
        found = run(p, x, weight, bias, instructions, threads, slopes=slopes, add=summand, **how)  # type: ignore[arg-type]
        assert_sums_near(found, finished(p, expected, summand, slopes), expected)


def limited(p: Problem, seed: int) -> Problem:
    """For a third of the seeds, the problem with a largest value."""
    return replace(p, limit=3) if seed % 3 == 0 else p


@EACH_ISA
@settings(max_examples=40)
@given(p=problems(any_windows), threads=THREADS, portions=PORTIONS, seed=SEEDS)
def test_any_window(instructions: str, p: Problem, threads: int, portions: tuple[int, int] | None, seed: int) -> None:
    check(limited(p, seed), seed, instructions, threads, add=seed % 2 == 0, portions=portions)


@EACH_ISA
@settings(max_examples=40)
@given(p=problems(any_windows, thin=True), threads=THREADS, portions=PORTIONS, seed=SEEDS)
def test_few_channels(instructions: str, p: Problem, threads: int, portions: tuple[int, int] | None, seed: int) -> None:
    check(p, seed, instructions, threads, thin=True, portions=portions)


@EACH_ISA
@settings(max_examples=30)
@given(p=problems(any_windows, group=True), threads=THREADS, seed=SEEDS)
def test_groups(instructions: str, p: Problem, threads: int, seed: int) -> None:
    check(limited(p, seed), seed, instructions, threads, add=seed % 2 == 0)


@EACH_ISA
@settings(max_examples=40)
@given(p=problems(one_by_one), threads=THREADS, portions=PORTIONS, seed=SEEDS)
def test_one_by_one_windows(
    instructions: str, p: Problem, threads: int, portions: tuple[int, int] | None, seed: int
) -> None:
    check(limited(p, seed), seed, instructions, threads, add=seed % 2 == 0, portions=portions)


@EACH_ISA
@pytest.mark.parametrize(("outputs", "threads"), [(70, 2), (581, 2), (581, 1)])
@pytest.mark.parametrize("channels", [512, 513, 1100])
def test_many_filters_of_one_pixel(instructions: str, channels: int, outputs: int, threads: int) -> None:
    """Channels and pixels of two pictures in several portions, as in fc7; outputs in one group or several."""
    p = Problem(2, channels, outputs, (Window(1), Window(1)), (np.arange(5), np.arange(7)), (5, 7), relu=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(direct, "MANY_BYTES", 0)
        assert isinstance(Direct().set_up(p, machine_with(instructions, threads)), PatchesWork)
    check(limited(p, 0), 0, instructions, threads, add=True, portions=(1, 0))


def test_the_cost_model_counts_the_rows_that_pad_a_panel() -> None:
    """So it does not select direct convolution for fc6 with a 4×4 top."""
    costs = [Direct().cost(problem) for problem in (fc6_of(10, 10), fc6_of(10, 20))]
    assert costs[0].products == costs[1].products
    assert costs[0].needed == 2 * 4 * 4 * 49 * 512 * 4096
    assert Winograd(8).cost(fc6_of(10, 10)).needed == 2 * 4 * 64 * 512 * 4096  # of four tiles
    assert cheapest(fc6_of(10, 10), machine_with(ISAS[0], 2), candidates(fc6_of(10, 10))) != Direct()


def fc6_of(height: int, width: int) -> Problem:
    return Problem(1, 512, 4096, (Window(7), Window(7)), (np.arange(height), np.arange(width)), (height, width))


@EACH_ISA
@settings(max_examples=40)
@given(p=problems(any_windows), threads=THREADS, seed=SEEDS)
def test_copied_patches(instructions: str, p: Problem, threads: int, seed: int) -> None:
    """Pictures of any size, as if they were small."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Direct, "_copies_small_pictures", lambda self, p: p.window_area > 1)
        assert isinstance(Direct().set_up(p, machine_with(instructions, threads)), PatchesWork) == (p.window_area > 1)
        check(limited(p, seed), seed, instructions, threads, add=seed % 2 == 0, portions=(1, 1 << 30))


def test_the_pictures_whose_patches_are_copied() -> None:
    """Those that fill panels of 14 badly, with copies that are not large."""

    def copies(size: int, channels: int, batch: int = 1, kernel: int = 3) -> bool:
        windows = (Window(kernel, pad=kernel // 2),) * 2
        p = Problem(batch, channels, 32, windows, (np.arange(size),) * 2, (size, size))
        return isinstance(Direct().set_up(p, machine_with(ISAS[0], 2)), PatchesWork)

    assert copies(7, 512) and copies(7, 64, batch=8) and copies(5, 32, kernel=5)
    assert not copies(14, 64) and not copies(27, 16) and not copies(7, 2048) and not copies(7, 512, batch=4)


@EACH_ISA
@settings(max_examples=20)
@given(p=problems(any_windows), seed=SEEDS)
def test_streamed_filters(instructions: str, p: Problem, seed: int) -> None:
    """Filters are prepared in portions of one group of outputs."""
    kernel = p.windows[0].size, p.windows[1].size
    x, weight = normal(seed, p.batch, p.channels, *p.size), normal(seed + 1, p.outputs, p.channels, *kernel)
    bias, algorithm, machine = normal(seed + 2, p.outputs), Streamed(), machine_with(instructions)
    work = algorithm.set_up(p, machine)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(direct, "PORTION_BYTES", 1)
        with guarded(p.batch, -(-p.outputs // 16), *p.top_size, 16) as y, poisoned(work.scratch) as scratch:
            weights = with_biases(algorithm.prepare(weight, p, machine), bias, None, p)
            algorithm.forward(blocked(x), y, weights, p, work, scratch, machine)
    assert_near(unblocked(y, p.outputs), convolved(p, x, weight, bias), BAR)


@EACH_ISA
@settings(max_examples=30)
@given(p=st.booleans().flatmap(lambda group: problems(of_stride_one, group)), threads=THREADS, seed=SEEDS)
def test_backward_data_convolves_with_transposed_filters(
    instructions: str, p: Problem, threads: int, seed: int
) -> None:
    p = Problem(p.batch, p.channels, p.outputs, p.windows, tuple(map(np.arange, p.size)), p.size, p.group)  # type: ignore[arg-type]
    if min(len(s) + 2 * w.pad - w.extent for s, w in zip(p.sources, p.windows, strict=True)) < 0:
        return
    kernel = p.windows[0].size, p.windows[1].size
    dy, weight = normal(seed, p.batch, p.outputs, *p.top_size), normal(seed, p.outputs, p.channels // p.group, *kernel)
    found = run(p.backward_data(), dy, weight, None, instructions, threads, transposed=True)
    assert_near(found, convolved(p.backward_data(), dy, transposed_filters(p, weight), np.zeros(p.channels)), BAR)


@EACH_ISA
@settings(max_examples=40)
@given(p=problems(any_windows, thin=True), threads=THREADS, seed=SEEDS)
def test_gradient_of_the_weight_of_few_channels(instructions: str, p: Problem, threads: int, seed: int) -> None:
    algorithm, machine = Direct(thin=True), machine_with(instructions, threads)
    x, dy = normal(seed, p.batch, p.channels, *p.size), normal(seed + 1, p.batch, p.outputs, *p.top_size)
    work = algorithm.set_up(p, machine)
    shape = p.outputs, p.channels, p.windows[0].size, p.windows[1].size
    with guarded(*shape) as dweight, poisoned(algorithm.backward_weights_scratch(p, machine)) as scratch:
        algorithm.backward_weights(x, blocked(dy), dweight, p, work, scratch, machine)
    assert_near(dweight, weight_gradient(p, x, dy), WEIGHT_BAR)


@EACH_ISA
@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 2), (13, 29)])
@pytest.mark.parametrize("kernel", [1, 3])
def test_extreme_sizes(instructions: str, size: tuple[int, int], kernel: int) -> None:
    windows = (Window(kernel, pad=kernel // 2),) * 2
    check(Problem(2, 18, 35, windows, (np.arange(size[0]), np.arange(size[1])), size), 0, instructions, 1)


@EACH_ISA
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_repeated_runs_give_the_same_bytes(instructions: str, threads: int) -> None:
    for kernel, thin in ((1, False), (3, False), (3, True)):
        channels = 3 if thin else 20
        windows = (Window(kernel, pad=kernel // 2),) * 2
        p = Problem(1, channels, 40, windows, (np.arange(40), np.arange(33)), (40, 33))
        x, weight, bias = normal(0, 1, channels, 40, 33), normal(1, 40, channels, kernel, kernel), normal(2, 40)
        first, *others = (run(p, x, weight, bias, instructions, threads, thin) for _ in range(4))
        for other in others:
            np.testing.assert_array_equal(other, first)


@EACH_ISA
def test_nan_reaches_only_outputs_that_depend_on_it(instructions: str) -> None:
    p = Problem(1, 16, 16, (Window(3, pad=1),) * 2, (np.arange(20), np.arange(30)), (20, 30), relu=True)
    x, weight, bias = normal(0, 1, 16, 20, 30), normal(1, 16, 16, 3, 3), normal(2, 16)
    x[0, 5, 7, 11] = np.nan
    machine, algorithm = machine_with(instructions), Direct()
    u, work = algorithm.prepare(weight, p, machine), algorithm.set_up(p, machine)
    y = np.zeros((1, 1, 20, 30, 16), np.float32)
    scratch = np.zeros(work.scratch, np.float32)
    algorithm.forward(blocked(x), y, with_biases(u, bias, None, p), p, work, scratch, machine)
    expected = np.zeros((1, 16, 20, 30), bool)
    expected[:, :, 6:9, 10:13] = True
    np.testing.assert_array_equal(np.isnan(unblocked(y, 16)), expected)


@pytest.mark.parametrize(
    ("channels", "outputs", "group", "suits"),
    [(5, 7, 1, True), (32, 32, 2, True), (32, 16, 2, False), (30, 30, 2, False), (16, 16, 16, False)],
)
def test_the_groups_that_it_suits(channels: int, outputs: int, group: int, suits: bool) -> None:
    """Groups that consist of whole blocks of channels."""
    p = Problem(1, channels, outputs, (Window(3),) * 2, (np.arange(9), np.arange(9)), (9, 9), group)
    assert Direct.suits(p) == suits


@EACH_ISA
@pytest.mark.parametrize("thin", [True, False])
def test_arrays_that_do_not_fit_are_refused(instructions: str, thin: bool) -> None:
    machine, algorithm = machine_with(instructions), Direct(thin)
    p = Problem(1, 4 if thin else 16, 16, (Window(3, pad=1),) * 2, (np.arange(20), np.arange(28)), (20, 28))
    x, y = normal(0, 1, p.channels, 20, 28), np.zeros((1, 1, 20, 28, 16), np.float32)
    x = x if thin else blocked(x)
    weights = with_biases(algorithm.prepare(normal(1, 16, p.channels, 3, 3), p, machine), None, None, p)
    work = algorithm.set_up(p, machine)
    assert not isinstance(work, PatchesWork)
    scratch = np.zeros(work.scratch, np.float32)
    algorithm.forward(x, y, weights, p, work, scratch, machine)
    rows, cols = work.maps
    for changed in (
        {"maps": (rows[:-1], cols)},
        {"maps": (rows + 1, cols)},
        {"maps": (rows, cols - 1)},
        {"options": {**work.options, "panels_at_once": 0}},
        {"shape": (*work.shape[:3], 27)},
    ):
        with pytest.raises(ValueError, match="does not fit"):
            algorithm.forward(x, y, weights, p, replace(work, **changed), scratch, machine)
    scratch = scratch[:-1]
    with pytest.raises(ValueError, match="scratch does not fit"):
        algorithm.forward(x, y, weights, p, work, scratch, machine)
