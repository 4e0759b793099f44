"""The page of receptive fields: predicted ones are measured, and the nets' own are subsets."""

from __future__ import annotations

from pathlib import Path

import pytest

from fcnlite import models
from fcnlite.analysis.paper import receptive_fields
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Picture
from fcnlite.analysis.paper.table import named


def test_predicted_fields_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receptive_fields, "CASES", (("lenet", "pool2", 40), ("lite-fcn8s", "pool4", 140)))
    page = named("receptive-fields").run(Settings())
    assert [each.ours for each in page.comparisons] == ["4 of 4", "4 of 4"]
    assert [part.pixels.shape for part in page.parts if isinstance(part, Picture)] == [(40, 80, 3), (140, 280, 3)]


def test_scores_that_are_zero_are_filled() -> None:
    net = receptive_fields.fill_scores(models.build("lite-fcn8s", width=1 / 64))
    _, picture = receptive_fields.scene(96, 3, 0)
    assert receptive_fields.field(net, "score", (50, 50), picture).share > 0.1


def test_a_model_can_be_given(tmp_path: Path) -> None:
    models.build("lite-fcn8s", width=1 / 64).save(tmp_path / "net.h5")
    page = named("receptive-fields").run(Settings(model=str(tmp_path / "net.h5")))
    assert [each.ours for each in page.comparisons] == ["2 of 2", "2 of 2"]
