"""Winograd convolution against NumPy, on every instruction set, and its filter transform against its definition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcnlite.compiler.convolution import winograd
from fcnlite.compiler.convolution.problem import PreparedWeights, Problem, with_biases
from fcnlite.compiler.convolution.winograd import POINTS, Winograd, filter_transform
from fcnlite.description.shapes import Window
from tests.compiler.convolution.problems import (
    EACH_ISA,
    GUARD,
    SEEDS,
    THREADS,
    blocked,
    bottom_gradient,
    convolved,
    guarded,
    machine_with,
    poisoned,
    problems,
    transposed_filters,
    unblocked,
    weight_gradient,
)
from tests.compiler.path_comparison import assert_near, normal
from tests.random_nets import FLAG, Draw

BAR = 3e-5
"""The allowed error, relative to the largest output of one layer."""
WEIGHT_BAR = 1e-4
"""The allowed error, relative to the largest gradient of a weight."""

DILATIONS = st.sampled_from([1, 1, 2, 3, 7])


def square(draw: Draw) -> tuple[Window, Window]:
    r = draw(st.integers(3, 7))
    window = Window(r, pad=draw(st.sampled_from([0, 1, r // 2, r, 30, -1, -3])), dilation=draw(DILATIONS))
    return window, window


def three(draw: Draw) -> tuple[Window, Window]:
    window = Window(3, pad=draw(st.sampled_from([0, 1, 2, 30, -1, -3])), dilation=draw(DILATIONS))
    return window, window


def line(window: Callable[[Draw], tuple[Window, Window]]) -> Callable[[Draw], tuple[Window, Window]]:
    """Windows of one row or of one column, as long as those of `window`. The other axis may have a pad, too."""

    def draw_line(draw: Draw) -> tuple[Window, Window]:
        long, _ = window(draw)
        short = Window(1, pad=draw(st.sampled_from([0, 0, 1, -1])), dilation=draw(DILATIONS))
        return (long, short) if draw(FLAG) else (short, long)

    return draw_line


PROBLEMS = {6: problems(three), 8: problems(square)}
LINES = {6: problems(line(three)), 8: problems(line(square))}
CASES, LINE_CASES = (
    st.sampled_from([6, 8]).flatmap(lambda points, each=each: st.tuples(st.just(Winograd(points)), each[points]))
    for each in (PROBLEMS, LINES)
)


def run(
    algorithm: Winograd, p: Problem, x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None,
    instructions: str, threads: int, by_outputs: bool | None = None, transposed: bool = False,
    slopes: np.ndarray | None = None, margin_values: np.ndarray | None = None, add: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """The outputs by Winograd's algorithm; `margin_values` fill the margins."""
    machine = machine_with(instructions, threads)
    u = algorithm.prepare(weight, p, machine, transposed=transposed)
    work = algorithm.set_up(p, machine)
    if by_outputs is not None:
        how = work.at_once, by_outputs, threads
        scratch = machine.kernels.winograd_scratch(algorithm.frequencies(p), p.channel_blocks, *how)
        work = replace(work, by_outputs=by_outputs, scratch=scratch)
    height, width = p.top_size
    if p.pool:
        height, width = -(-height // 2), -(-width // 2)
    with guarded(p.batch, -(-p.outputs // 16), height, width, 16) as y, poisoned(work.scratch) as scratch:
        summand = None if add is None else blocked(add)
        algorithm.forward(blocked(x), y, with_biases(u, bias, slopes, p), p, work, scratch, machine, summand)
        if margin_values is not None:
            within = np.zeros((height, width), bool)
            within[inside(p, height, width)] = True
            np.testing.assert_array_equal(np.isnan(y), np.broadcast_to(~within[:, :, None], y.shape))
            machine.kernels.fill_margins(
                blocked(margin_values.reshape(1, -1, 1, 1)).reshape(-1), *p.margins, y, threads
            )
    return unblocked(y, p.outputs)


def inside(p: Problem, height: int, width: int) -> tuple[slice, slice]:
    """The rows and columns inside the margins."""
    (top, bottom), (left, right) = p.margins
    return slice(top, height - bottom), slice(left, width - right)


@EACH_ISA
@settings(max_examples=30)
@given(
    case=st.one_of(CASES, LINE_CASES),
    pool=FLAG,
    by_outputs=st.sampled_from([None, True, False]),
    threads=THREADS,
    seed=SEEDS,
)
def test_forward_is_the_convolution(
    instructions: str, case: tuple[Winograd, Problem], pool: bool, by_outputs: bool | None, threads: int, seed: int
) -> None:
    algorithm, p = case
    p = replace(p, pool=pool and algorithm.suits(replace(p, pool=True)))
    assert algorithm.suits(p)
    sizes = [window.size for window in p.windows]
    x, weight = normal(seed, p.batch, p.channels, *p.size), normal(seed + 1, p.outputs, p.channels, *sizes)
    bias, slopes = normal(seed + 2, p.outputs), normal(seed + 3, p.outputs) if p.relu and not p.pool else None
    found = run(algorithm, p, x, weight, bias, instructions, threads, by_outputs, slopes=slopes)
    assert_near(found, convolved(p, x, weight, bias, slopes), BAR)
    if slopes is not None:
        found = run(algorithm, p, x, weight, bias, instructions, threads, by_outputs)
        assert_near(found, convolved(p, x, weight, bias), BAR)


@EACH_ISA
@settings(max_examples=30)
@given(case=st.one_of(CASES, LINE_CASES), by_outputs=FLAG, threads=THREADS, seed=SEEDS)
def test_a_summand_is_added_before_the_rectifier(
    instructions: str, case: tuple[Winograd, Problem], by_outputs: bool, threads: int, seed: int
) -> None:
    algorithm, p = case
    sizes = [window.size for window in p.windows]
    x, weight = normal(seed, p.batch, p.channels, *p.size), normal(seed + 1, p.outputs, p.channels, *sizes)
    bias, add = normal(seed + 2, p.outputs), normal(seed + 3, p.batch, p.outputs, *p.top_size)
    found = run(algorithm, p, x, weight, bias, instructions, threads, by_outputs, add=add)
    expected = convolved(replace(p, relu=False), x, weight, bias) + add
    assert_near(found, np.maximum(expected, 0) if p.relu else expected, BAR)


@EACH_ISA
@settings(max_examples=30)
@given(case=st.one_of(CASES, LINE_CASES), pool=FLAG, by_outputs=FLAG, threads=THREADS, seed=SEEDS, data=st.data())
def test_margins_are_left_out(
    instructions: str, case: tuple[Winograd, Problem], pool: bool, by_outputs: bool, threads: int, seed: int,
    data: st.DataObject,
) -> None:  # fmt: skip
    algorithm, p = case
    p = replace(p, pool=pool and algorithm.suits(replace(p, pool=True)))
    height, width = (-(-size // 2) if p.pool else size for size in p.top_size)
    margins = []
    for size in (height, width):
        before = data.draw(st.integers(0, min(3, size - 1)))
        margins.append((before, data.draw(st.integers(0, min(3, size - 1 - before)))))
    p = replace(p, margins=(margins[0], margins[1]))
    sizes = [window.size for window in p.windows]
    x, weight = normal(seed, p.batch, p.channels, *p.size), normal(seed + 1, p.outputs, p.channels, *sizes)
    bias, margin_values = normal(seed + 2, p.outputs), normal(seed + 3, p.outputs)
    found = run(algorithm, p, x, weight, bias, instructions, threads, by_outputs, margin_values=margin_values)
    whole = convolved(p, x, weight, bias)
    expected = np.broadcast_to(margin_values[:, None, None], whole.shape).copy()
    rows, columns = inside(p, height, width)
    expected[:, :, rows, columns] = whole[:, :, rows, columns]
    assert_near(found, expected, BAR)


@EACH_ISA
def test_margins_that_do_not_fit_are_refused(instructions: str) -> None:
    kernels, values, y = machine_with(instructions).kernels, np.zeros(32, np.float32), np.zeros((1, 2, 4, 5, 16), "f4")
    kernels.fill_margins(values, (2, 2), (0, 5), y, 1)
    for rows, columns in (((3, 2), (0, 0)), ((0, 0), (-1, 2)), ((0, 0), (3, 3))):
        with pytest.raises(ValueError, match=r"margins? does not fit"):
            kernels.fill_margins(values, rows, columns, y, 1)
    with pytest.raises(ValueError, match="values does not fit"):
        kernels.fill_margins(values[:16], (0, 0), (0, 0), y, 1)


@EACH_ISA
@settings(max_examples=30)
@given(case=st.one_of(CASES, LINE_CASES), threads=THREADS, seed=SEEDS)
def test_backward_data_is_a_convolution_with_transposed_filters(
    instructions: str, case: tuple[Winograd, Problem], threads: int, seed: int
) -> None:
    algorithm, p = case
    p = replace(p, sources=(np.arange(p.size[0]), np.arange(p.size[1])))
    if min(len(s) + 2 * w.pad - w.extent for s, w in zip(p.sources, p.windows, strict=True)) < 0:
        return
    sizes, down = [window.size for window in p.windows], p.backward_data()
    assert down.top_size == p.size
    dy, weight = normal(seed, p.batch, p.outputs, *p.top_size), normal(seed + 1, p.outputs, p.channels, *sizes)
    found = run(algorithm, down, dy, weight, None, instructions, threads, transposed=True)
    assert_near(found, convolved(down, dy, transposed_filters(p, weight), np.zeros(p.channels)), BAR)


@EACH_ISA
@settings(max_examples=30)
@given(case=CASES, portions=st.sampled_from([None, (5, 1), (40, 1 << 15)]), threads=THREADS, seed=SEEDS)
def test_backward_weights_is_the_gradient_of_the_weight(
    instructions: str,
    case: tuple[Winograd, Problem],
    portions: tuple[int, int] | None,
    threads: int,
    seed: int,
) -> None:
    algorithm, p = case
    machine = machine_with(instructions, threads)
    r = p.windows[0].size
    x, dy = normal(seed, p.batch, p.channels, *p.size), normal(seed + 1, p.batch, p.outputs, *p.top_size)
    with pytest.MonkeyPatch.context() as patch:
        if portions is not None:
            patch.setattr(winograd, "NEAR_BYTES", 0)
            patch.setattr(winograd, "SUM_TILES", portions[0])
            patch.setattr(winograd, "SUM_BYTES", portions[1])
        floats, work = algorithm.backward_weights_scratch(p, machine), algorithm.set_up(p, machine)
        with guarded(p.outputs, p.channels, r, r) as dweight, poisoned(floats) as scratch:
            algorithm.backward_weights(blocked(x), blocked(dy), dweight, p, work, scratch, machine)
    assert_near(dweight, weight_gradient(p, x, dy), WEIGHT_BAR)


@EACH_ISA
@settings(max_examples=30)
@given(case=CASES, portion=st.sampled_from([None, 5, 40]), threads=THREADS, seed=SEEDS)
def test_backward_data_is_the_gradient_of_the_bottom(
    instructions: str, case: tuple[Winograd, Problem], portion: int | None, threads: int, seed: int
) -> None:
    algorithm, p = case
    machine = machine_with(instructions, threads)
    r = p.windows[0].size
    dy, weight = normal(seed, p.batch, p.outputs, *p.top_size), normal(seed + 1, p.outputs, p.channels, r, r)
    weights = with_biases(algorithm.prepare(weight, p, machine), None, None, p)
    with pytest.MonkeyPatch.context() as patch:
        if portion is not None:
            patch.setattr(winograd, "DATA_TILES", portion)
        floats, work = algorithm.backward_data_scratch(p, machine), algorithm.set_up(p, machine)
        shape = p.batch, p.channel_blocks, *p.size, 16
        with guarded(*shape) as dx, poisoned(floats) as scratch:
            algorithm.backward_data(blocked(dy), dx, weights, p, work, scratch, machine)
    assert_near(unblocked(dx, p.channels), bottom_gradient(p, dy, weight), BAR)


@EACH_ISA
def test_many_tiles_and_many_outputs(instructions: str) -> None:
    """More of either than the buffers hold."""
    for by_outputs in (True, False):
        p = Problem(2, 33, 70, (Window(3, pad=1), Window(3, pad=1)), (np.arange(90), np.arange(75)), (90, 75))
        x, weight, bias = normal(0, 2, 33, 90, 75), normal(1, 70, 33, 3, 3), normal(2, 70)
        expected = convolved(p, x, weight, bias)
        for points in (6, 8):
            found = run(Winograd(points), p, x, weight, bias, instructions, 2, by_outputs)
            assert_near(found, expected, BAR)


@EACH_ISA
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_repeated_runs_give_the_same_bytes(instructions: str, threads: int) -> None:
    p = Problem(1, 20, 40, (Window(3, pad=1), Window(3, pad=1)), (np.arange(40), np.arange(33)), (40, 33), pool=True)
    x, weight, bias = normal(0, 1, 20, 40, 33), normal(1, 40, 20, 3, 3), normal(2, 40)
    first, *others = (run(Winograd(8), p, x, weight, bias, instructions, threads) for _ in range(4))
    assert_near(first, convolved(p, x, weight, bias), BAR)
    for other in others:
        np.testing.assert_array_equal(other, first)


@EACH_ISA
def test_nan_reaches_outputs_that_depend_on_it(instructions: str) -> None:
    """ReLU and pooling keep NaN, as on the reference path; a tile may spread it to its other outputs."""
    p = Problem(1, 16, 16, (Window(3, pad=1),) * 2, (np.arange(24), np.arange(24)), (24, 24), relu=True, pool=True)
    x, weight, bias = normal(0, 1, 16, 24, 24), normal(1, 16, 16, 3, 3), normal(2, 16)
    x[0, 3, 13, 13] = np.nan
    machine = machine_with(instructions)
    for algorithm in (Winograd(6), Winograd(8)):
        u, work = algorithm.prepare(weight, p, machine), algorithm.set_up(p, machine)
        y = np.zeros((1, 1, 12, 12, 16), np.float32)
        scratch = np.zeros(work.scratch + GUARD, np.float32)
        algorithm.forward(blocked(x), y, with_biases(u, bias, None, p), p, work, scratch, machine)
        found = np.isnan(unblocked(y, 16)).all(axis=1)[0]
        assert found[6:8, 6:8].all()
        assert not found[:3].any() and not found[:, 10:].any()


@pytest.mark.parametrize(("points", "r"), [(6, 3), (8, 3), (8, 4), (8, 5), (8, 6), (8, 7)])
def test_the_filter_transform_makes_the_products_exact(points: int, r: int) -> None:
    """For Aᵀ and Bᵀ by definition, in rational numbers, Aᵀ [(G g) ⊙ (Bᵀ d)] is the convolution."""
    finite, m = POINTS[points], points - r + 1
    at = [[p**i for p in finite] + [Fraction(int(i == m - 1))] for i in range(m)]
    # Bᵀ is the inverse of evaluation, transposed, with each row multiplied by the divisor in G.
    evaluation = np.array([[float(p**k) for k in range(points)] for p in finite] + [[0.0] * (points - 1) + [1.0]])
    norms = [np.prod([float(p - q) for q in finite if q != p]) for p in finite] + [1.0]
    bt = np.diag(norms) @ np.linalg.inv(evaluation).T
    rng = np.random.default_rng(0)
    d, g = rng.normal(size=points), rng.normal(size=r)
    y = np.array(at, float) @ ((filter_transform(points, r).astype(float) @ g) * (bt @ d))
    np.testing.assert_allclose(y, np.convolve(d, g[::-1], "valid"), atol=1e-5)


@pytest.mark.parametrize(
    ("windows", "group", "suits"),
    [
        ((Window(3), Window(3)), 1, (6, 8)),
        ((Window(3, pad=100), Window(3, pad=100)), 1, (6, 8)),
        ((Window(7), Window(7)), 1, (8,)),
        ((Window(2), Window(2)), 1, ()),
        ((Window(9), Window(9)), 1, ()),
        ((Window(1), Window(1)), 1, ()),
        ((Window(1), Window(3)), 1, (6, 8)),
        ((Window(7, pad=3), Window(1, dilation=2)), 1, (8,)),
        ((Window(9), Window(1)), 1, ()),
        ((Window(3), Window(1, stride=2)), 1, ()),
        ((Window(3), Window(1)), 2, ()),
        ((Window(3), Window(5)), 1, ()),
        ((Window(3, pad=1), Window(3)), 1, ()),
        ((Window(3, stride=2), Window(3, stride=2)), 1, ()),
        ((Window(3, dilation=2), Window(3, dilation=2)), 1, (6, 8)),
        ((Window(3, dilation=2), Window(3)), 1, ()),
        ((Window(3), Window(3)), 2, ()),
    ],
)
def test_the_problems_that_it_suits(windows: tuple[Window, Window], group: int, suits: tuple[int, ...]) -> None:
    p = Problem(1, 32, 32, windows, (np.arange(30), np.arange(30)), (30, 30), group)
    assert tuple(points for points in (6, 8) if Winograd(points).suits(p)) == suits


@pytest.mark.parametrize("r", [3, 4, 5, 6, 7])
def test_it_pools_if_tiles_have_even_sides_and_no_gaps(r: int) -> None:
    p = Problem(1, 16, 16, (Window(r),) * 2, (np.arange(30), np.arange(30)), (30, 30), pool=True)
    assert Winograd(8).suits(p) == ((8 - r + 1) % 2 == 0)
    assert not Winograd(8).suits(replace(p, windows=(Window(r, dilation=2),) * 2))


def test_windows_of_one_row_suit_without_pooling_and_backward() -> None:
    p = Problem(1, 16, 16, (Window(1), Window(3)), (np.arange(30), np.arange(30)), (30, 30))
    assert Winograd(8).suits(p)
    assert not Winograd(8).suits(replace(p, pool=True))
    assert not Winograd(8).suits(replace(p, training=True))


@pytest.mark.parametrize(("length", "side", "dilation"), [(1, 6, 1), (18, 6, 1), (19, 2, 1), (5, 4, 9), (65, 6, 12)])
def test_tiles_cover_every_row_once(length: int, side: int, dilation: int) -> None:
    covered = [start + i * dilation for start in winograd.tile_starts(length, side, dilation) for i in range(side)]
    assert sorted(row for row in covered if row < length) == list(range(length))


@EACH_ISA
def test_arrays_that_do_not_fit_are_refused(instructions: str) -> None:
    machine = machine_with(instructions)
    p = Problem(1, 16, 16, (Window(3),) * 2, (np.arange(20), np.arange(20)), (20, 20))
    algorithm = Winograd(6)
    x, y = (np.zeros(shape, np.float32) for shape in ((1, 1, 20, 20, 16), (1, 1, 18, 18, 16)))
    u, work = algorithm.prepare(normal(0, 16, 16, 3, 3), p, machine), algorithm.set_up(p, machine)
    weights = with_biases(u, None, None, p)
    scratch = np.zeros(work.scratch, np.float32)
    algorithm.forward(x, y, weights, p, work, scratch, machine)
    for changed in (
        {"y": y[:, :, :17].copy()},
        {"weights": PreparedWeights(u[:-1], weights.bias, weights.slopes)},
        {"weights": PreparedWeights(u, weights.bias[:, :16].copy(), weights.slopes)},
        {"work": replace(work, at_once=0)},
        {"work": replace(work, tiling=replace(work.tiling, rows=work.tiling.rows[:-1]))},
        {"work": replace(work, tiling=replace(work.tiling, rows=work.tiling.rows + 1))},
        {"work": replace(work, tiling=replace(work.tiling, row_starts=work.tiling.row_starts - 4))},
        {"work": replace(work, tiling=replace(work.tiling, col_starts=work.tiling.col_starts + 18))},
        {"work": replace(work, tiling=replace(work.tiling, dilation=(0, 1)))},
        {"work": replace(work, tiling=replace(work.tiling, points=(8, 6)))},
        {"work": replace(work, tiling=replace(work.tiling, points=(1, 6)))},
        {"work": replace(work, tiling=replace(work.tiling, points=(1, 1), side=(1, 1)))},
        {"add": y[:, :, :17].copy()},
    ):
        arguments = {"x": x, "y": y, "weights": weights, "work": work, **changed}
        with pytest.raises(ValueError, match="does not fit"):
            algorithm.forward(**arguments, p=p, scratch=scratch, machine=machine)
    scratch = scratch[:-1]
    with pytest.raises(ValueError, match="scratch does not fit"):
        algorithm.forward(x, y, weights, p, work, scratch, machine)
