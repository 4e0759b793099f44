"""Concatenation of blocked arrays along the channels, and its inverse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compiler.convolution.problems import EACH_ISA, blocked, guarded, machine_with, unblocked
from tests.compiler.path_comparison import normal

CHANNELS = st.lists(st.one_of(st.integers(1, 40), st.sampled_from([16, 32])), min_size=1, max_size=4)


@EACH_ISA
@settings(max_examples=80)
@given(
    channels=CHANNELS, size=st.tuples(st.integers(1, 3), st.integers(1, 7), st.integers(1, 7)),
    threads=st.sampled_from([1, 3]),
)  # fmt: skip
def test_the_kernels(instructions: str, channels: list[int], size: tuple[int, int, int], threads: int) -> None:
    kernels, (n, height, width) = machine_with(instructions).kernels, size
    parts = [normal(i, n, each, height, width) for i, each in enumerate(channels)]
    whole, starts = np.concatenate(parts, axis=1), [sum(channels[:i]) for i in range(len(channels))]
    with guarded(*blocked(whole).shape) as y:
        for part, each, start in zip(parts, channels, starts, strict=True):
            kernels.put_channels(blocked(part), each, y, start, threads)
    np.testing.assert_array_equal(unblocked(y, sum(channels)), whole)
    for part, each, start in zip(parts, channels, starts, strict=True):
        with guarded(*blocked(part).shape) as x:
            kernels.take_channels(blocked(whole), start, each, x, threads)
        np.testing.assert_array_equal(unblocked(x, each), part)


@EACH_ISA
def test_parts_that_do_not_fit_are_refused(instructions: str) -> None:
    kernels = machine_with(instructions).kernels
    part, whole = (blocked(normal(0, 1, channels, 4, 5)) for channels in (20, 40))
    kernels.put_channels(part, 20, whole, 28, 1)
    for channels, first in ((33, 0), (20, 29), (20, -1)):
        with pytest.raises(ValueError, match="does not fit"):
            kernels.put_channels(part, channels, whole, first, 1)
        with pytest.raises(ValueError, match="does not fit"):
            kernels.take_channels(whole, first, channels, part, 1)
    for shape in ((2, 20, 4, 5), (1, 20, 5, 5), (1, 20, 4, 4)):
        with pytest.raises(ValueError, match="does not fit"):
            kernels.put_channels(blocked(normal(0, *shape)), 20, whole, 0, 1)
