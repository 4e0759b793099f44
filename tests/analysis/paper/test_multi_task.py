"""The geometric labels, the net with two heads, and its page."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite import models
from fcnlite.analysis.paper import multi_task
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.multi_task import geometric, heads
from fcnlite.analysis.paper.table import named
from fcnlite.data import VOID
from fcnlite.net import Net


def test_geometric_labels() -> None:
    label = np.array([[0, 1, 2, 3, 4, 5, VOID]], np.uint8)
    assert geometric(label).tolist() == [[0, 1, 1, 1, 2, 2, VOID]]


def test_the_loss_of_two_heads_is_the_sum_of_their_losses() -> None:
    net = Net(heads(("semantic", "geometric"), 16), phase="TRAIN")
    models.initialize(net)
    label = np.zeros((1, 1, 16, 16), np.uint8)
    net.forward(data=np.zeros((1, 3, 16, 16)), label_semantic=label, label_geometric=label, keep=True)
    assert net.loss == pytest.approx(np.log(6) + np.log(3), rel=1e-5)


def test_a_short_run_fills_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multi_task, "_PICTURES", (8, 4))
    page = named("multi-task").run(Settings(iterations=2))
    assert [each.paper for each in page.comparisons] == ["39.5", "94.3", "as good", "as good", ""]


@pytest.mark.slow
def test_two_heads_are_about_as_good_as_two_nets() -> None:
    page = named("multi-task").run(Settings())
    gains = [float(each.ours.split()[0]) for each in page.comparisons if each.paper == "as good"]
    assert min(gains) > -8
