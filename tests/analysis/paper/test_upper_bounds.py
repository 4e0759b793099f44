"""The bound of a coarse prediction, on label maps whose bound is known."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.table import named
from fcnlite.analysis.paper.upper_bounds import FACTORS, bounds, coarse
from fcnlite.data import VOID


def test_each_square_has_its_most_frequent_class() -> None:
    label = np.array([[0, 0, 1, 1, 2], [0, 1, 1, VOID, 2], [2, 2, VOID, VOID, 0]], np.uint8)
    expected = [[0, 0, 1, 1, 2], [0, 0, 1, 1, 2], [2, 2, 0, 0, 0]]
    assert coarse(label, 2, 3).tolist() == expected


def test_labels_that_are_coarse_themselves_have_no_error() -> None:
    label = np.kron(np.arange(6, dtype=np.uint8).reshape(2, 3) % 3, np.ones((16, 16), np.uint8))
    found = {factor: metrics.mean_iu for factor, metrics in zip(FACTORS, bounds([label], 3), strict=True)}
    assert found[16] == found[8] == found[4] == 1
    assert found[128] < found[64] < 1 or found[128] == found[64] < 1


def test_bounds_rise_with_finer_squares() -> None:
    page = named("upper-bounds").run(Settings())
    ours = [float(each.ours) for each in page.comparisons]
    assert ours == sorted(ours) and ours[-1] > 95
    assert [float(each.paper) for each in page.comparisons] == [50.9, 73.3, 86.1, 92.8, 96.4, 98.5]
    assert ours[0] == pytest.approx(12.4, abs=0.1)
