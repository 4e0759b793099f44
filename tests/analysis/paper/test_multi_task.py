"""The geometric labels, the net with two heads, and its page."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite import data, models
from fcnlite.analysis.paper import multi_task
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.multi_task import geometric, of_task, reference, small, with_geometry
from fcnlite.analysis.paper.table import named
from fcnlite.data import VOID
from fcnlite.errors import DataError
from fcnlite.net import Net

SHAPES = data.open("shapes", split="train", size=32, count=2)


def test_geometric_labels() -> None:
    label = np.array([[0, 1, 2, 3, 4, 5, VOID]], np.uint8)
    assert geometric(label).tolist() == [[0, 1, 1, 1, 2, 2, VOID]]
    both = with_geometry(SHAPES)
    assert list(both[0].labels) == ["sem", "geo"]
    assert (of_task(both, "geo")[0].label == geometric(SHAPES[0].label)).all()


def test_the_loss_of_two_heads_is_the_sum_of_their_losses() -> None:
    net = Net(small({"sem": 6, "geo": 3}), phase="TRAIN")
    models.initialize(net)
    label = np.zeros((1, 1, 16, 16), np.uint8)
    net.forward(data=np.zeros((1, 3, 16, 16)), sem=label, geo=label, keep=True)
    assert net.loss == pytest.approx(np.log(6) + np.log(3), rel=1e-5)


def test_a_net_of_its_own_has_the_layers_of_one_head() -> None:
    both, alone = reference({"sem": 33, "geo": 3}), reference({"geo": 3})
    assert both == models.describe("siftflow-fcn32s")
    gone = {layer.name for layer in both} - {layer.name for layer in alone}
    assert gone == {"sem", "score_fr_sem", "upscore_sem", "score_sem", "loss"}


def test_a_short_run_fills_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multi_task, "_PICTURES", (8, 4))
    monkeypatch.setattr(multi_task, "_SEEDS", 1)
    page = named("multi-task").run(Settings(iterations=1))
    assert [each.paper for each in page.comparisons] == ["39.5", "94.3", "as good", "as good", ""]


def test_a_data_set_with_one_label_map_is_an_error() -> None:
    with pytest.raises(DataError, match=r"has the label maps label, but multi-task needs sem and geo"):
        named("multi-task").run(Settings(train_set=SHAPES, val_set=SHAPES))
