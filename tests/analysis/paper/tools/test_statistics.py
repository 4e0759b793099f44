"""The figures of several seeds."""

from __future__ import annotations

import pytest
from scipy import stats

from fcnlite.analysis.paper.tools.statistics import interval, spread, verdict


def test_figures_of_several_seeds() -> None:
    assert spread([70.0, 72.0]) == "71.0 ± 1.4"
    assert spread([0.5], 3, sign=True) == "+0.500"
    differences = [0.1, 0.5, -0.2, 0.3]
    low, high = stats.ttest_1samp(differences, 0).confidence_interval()
    assert 2 * interval(differences) == pytest.approx(high - low)
    assert "includes 0" in verdict(differences)
    assert "does not include 0" in verdict([1.0, 1.1, 0.9])
    assert verdict([1.0]) == "one training, so the spread is not known"
