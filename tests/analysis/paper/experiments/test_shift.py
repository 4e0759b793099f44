"""The page of shifts: filters differ by rounding only, a fully connected layer by far more."""

from __future__ import annotations

from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.table import named


def test_filters_shift_and_a_fully_connected_layer_does_not() -> None:
    filters, connected = named("shift").run(Settings()).comparisons
    assert float(filters.ours) < 1e-4
    assert float(connected.ours.removesuffix(" %")) > 5
