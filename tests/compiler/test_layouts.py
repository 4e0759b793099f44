"""Sums of the gradients of repeated rows and columns: against NumPy, on every instruction set and in both layouts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcnlite.arrays import Array
from fcnlite.compiler.layouts import sum_repeats
from tests.compiler.convolution.problems import EACH_ISA, machine_with
from tests.compiler.path_comparison import normal
from tests.random_nets import Draw

EPSILON = float(np.finfo(np.float32).eps) / 2
"""The rounding of one sum."""


@st.composite
def sources(draw: Draw) -> tuple[Array, int]:
    """For each row the row that it repeats, and the number of different rows. Some rows repeat none, and some are not
    repeated."""
    count = draw(st.integers(1, 8))
    return np.array(draw(st.lists(st.integers(-1, count - 1), min_size=1, max_size=30))), count


@EACH_ISA
@settings(max_examples=80)
@given(
    planes=st.tuples(st.integers(1, 2), st.integers(1, 3)),
    rows=sources(),
    columns=sources(),
    lanes=st.sampled_from([(16,), ()]),
    threads=st.sampled_from([1, 3]),
)
def test_it_sums_the_repeats_of_each_row(
    instructions: str,
    planes: tuple[int, int],
    rows: tuple[Array, int],
    columns: tuple[Array, int],
    lanes: tuple[int, ...],
    threads: int,
) -> None:
    machine = machine_with(instructions)
    machine.threads = threads
    (row_of, height), (column_of, width) = rows, columns
    x = normal(0, *planes, len(row_of), len(column_of), *lanes)
    # Rows that repeat none (−1) are added to an extra row and column.
    expected, size = np.zeros((2, *planes, height + 1, width + 1, *lanes))
    places = slice(None), slice(None), row_of[:, None] % (height + 1), column_of % (width + 1)
    np.add.at(expected, places, x)
    np.add.at(size, places, abs(x))
    found = sum_repeats(x, (row_of, column_of), (height, width), machine)
    error = abs(found - expected[:, :, :height, :width])
    assert (error <= 4 * EPSILON * size[:, :, :height, :width]).all()


@EACH_ISA
@pytest.mark.parametrize(
    ("starts", "members"),
    [
        ([0, 1], [0, 1]),  # one is missing
        ([0, 2, 2], [0, 1]),  # one too many
        ([0, 2], [0, 3]),
        ([0, 2], [0, -1]),
    ],
)
def test_lists_that_do_not_fit_are_refused(instructions: str, starts: list[int], members: list[int]) -> None:
    kernels, x = machine_with(instructions).kernels, normal(0, 1, 1, 3, 3, 16)
    y = np.zeros((1, 1, 1, 1, 16), np.float32)
    good, bad = (np.array([0, 1]), np.array([2])), (np.array(starts), np.array(members))
    for rows, columns in ((good, bad), (bad, good)):
        with pytest.raises(ValueError, match="does not fit"):
            kernels.sum_repeats(x, *rows, *columns, y, 1)
    with pytest.raises(ValueError, match="does not fit"):
        kernels.sum_repeats(x, *good, *good, normal(0, 1, 2, 1, 1, 16), 1)
