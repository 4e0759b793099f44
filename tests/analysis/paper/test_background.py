"""Targets and decisions without a class for the background."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite.analysis.paper import background
from fcnlite.analysis.paper.background import targets, with_null_background
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.short_training import sigmoid_fcn
from fcnlite.analysis.paper.table import named
from fcnlite.data import VOID
from fcnlite.net import Net


def test_background_has_no_target_of_its_own() -> None:
    label = np.array([[0, 1, 2, VOID]], np.uint8)
    assert targets(label, 3, null_background=True)[:, 0].tolist() == [[0, 1, 0, VOID], [0, 0, 1, VOID]]
    assert targets(label, 3, null_background=False)[0, 0].tolist() == [1, 0, 0, VOID]


def test_a_pixel_without_a_positive_score_is_background() -> None:
    scores = np.array([[-1.0, 2, -3, 0], [-2, 1, 0.5, 0]], np.float32)[None, :, None]
    assert with_null_background(scores)[0, 0].tolist() == [0, 1, 2, 0]


def test_the_loss_of_zero_scores_is_log_2_a_score() -> None:
    net = Net(sigmoid_fcn(5, 16), phase="TRAIN")
    label = np.array([[0, VOID], [3, 5]], np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    net.forward(
        data=np.zeros((1, 3, 16, 16), np.float32), target=targets(label, 6, null_background=True)[None], keep=True
    )
    assert net.loss == pytest.approx(5 * np.log(2), rel=1e-5)


def test_a_short_run_fills_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "_PICTURES", (8, 4))
    page = named("background").run(Settings(iterations=2))
    assert [each.paper for each in page.comparisons] == ["reported 1 point"] * 2 + ["reported below 0.1 %"]


@pytest.mark.slow
def test_the_page_says_that_a_short_training_does_not_show_the_claim() -> None:
    page = named("background").run(Settings())
    assert all(float(each.ours.split()[0]) > 2 for each in page.comparisons[:2])
    assert any("does not show what the paper says" in part for part in page.parts if isinstance(part, str))
