"""The page of loss sums: equal gradients, and a factor that grows with the picture."""

from __future__ import annotations

import pytest

from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.experiments import loss_sum
from fcnlite.analysis.paper.page import Table
from fcnlite.analysis.paper.table import named


def test_gradients_are_equal_and_the_factor_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss_sum, "GRIDS", (1, 2, 5))
    page = named("loss-sum").run(Settings())
    assert float(page.comparisons[0].ours) < 1e-12 and float(page.comparisons[1].ours) < 1e-3
    table, _ = (part for part in page.parts if isinstance(part, Table))
    factors = [float(row[6]) for row in table.rows]
    assert factors[0] == 1 and factors == sorted(factors) and factors[-1] > 2
