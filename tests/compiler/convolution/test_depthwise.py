"""Depthwise convolution against NumPy, on every instruction set."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcnlite.compiler.convolution import depthwise
from fcnlite.compiler.convolution.algorithms import candidates
from fcnlite.compiler.convolution.depthwise import Depthwise
from fcnlite.compiler.convolution.problem import Problem, with_biases
from fcnlite.description.shapes import Window
from tests.compiler.convolution.problems import (
    EACH_ISA,
    ISAS,
    SEEDS,
    THREADS,
    any_windows,
    assert_sums_near,
    blocked,
    convolved,
    finished,
    guarded,
    machine_with,
    poisoned,
    problems,
    transposed_filters,
    unblocked,
)
from tests.compiler.path_comparison import normal
from tests.random_nets import FLAG


def of_channels(p: Problem, channels: int) -> Problem:
    """The problem with so many channels, each with a filter of its own."""
    return replace(p, channels=channels, outputs=channels, group=channels)


@EACH_ISA
@settings(max_examples=60)
@given(
    p=problems(any_windows),
    channels=st.integers(2, 40),
    threads=THREADS,
    few=FLAG,
    prelu=FLAG,
    add=FLAG,
    limit=st.sampled_from([math.inf, 2]),
    seed=SEEDS,
)
def test_any_window(
    instructions: str,
    p: Problem,
    channels: int,
    threads: int,
    few: bool,
    prelu: bool,
    add: bool,
    limit: float,
    seed: int,
) -> None:
    p = replace(of_channels(p, channels), limit=limit)
    assert candidates(p) == [Depthwise()]
    x, weight = (
        normal(seed, p.batch, channels, *p.size),
        normal(seed + 1, channels, 1, *(each.size for each in p.windows)),
    )
    bias, slopes = normal(seed + 2, channels), normal(seed + 3, channels) if prelu and p.relu else None
    summand = normal(seed + 4, p.batch, channels, *p.top_size) if add else None
    machine, algorithm = machine_with(instructions, threads), Depthwise()
    u = algorithm.prepare(weight, p, machine)
    with pytest.MonkeyPatch.context() as patch:
        if few:
            patch.setattr(depthwise, "PIECE_BYTES", 1 << 12)
        work = algorithm.set_up(p, machine)
    weights = with_biases(u, bias, slopes, replace(p, group=1))
    with guarded(p.batch, p.channel_blocks, *p.top_size, 16) as y, poisoned(work.scratch) as scratch:
        algorithm.forward(
            blocked(x), y, weights, p, work, scratch, machine, None if summand is None else blocked(summand)
        )
    sums = convolved(replace(p, relu=False), x, weight, bias)
    assert_sums_near(unblocked(y, channels), finished(p, sums, summand, slopes), sums)


def test_filters_of_the_gradient_are_rotated() -> None:
    weight, machine = normal(0, 5, 1, 3, 2), machine_with(ISAS[0])
    p = of_channels(Problem(1, 5, 5, (Window(3), Window(2)), (np.arange(4), np.arange(4)), (4, 4)), 5)
    rotated = Depthwise().prepare(transposed_filters(p, weight), p, machine)
    np.testing.assert_array_equal(Depthwise().prepare(weight, p, machine, transposed=True), rotated)
