"""Dropout: where it is put, and that nothing else changes."""

from __future__ import annotations

import pytest

from fcnlite import data, models
from fcnlite.analysis.paper.dropout import with_dropout, without_dropout
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.table import named
from fcnlite.analysis.paper.training import small_net
from fcnlite.net import Net

SHAPES = data.open("shapes", split="train", size=32, count=8)


def test_dropout_is_put_after_conv6_and_taken_away() -> None:
    spec = small_net(6, 8)
    dropped = with_dropout(spec)
    names = [layer.name for layer in dropped]
    assert names[names.index("relu6") + 1] == "drop_relu6" and len(names) == len(spec.layers) + 1
    assert without_dropout(dropped) == spec
    assert Net(dropped, phase="TRAIN").layer("drop_relu6").options.dropout_ratio == 0.5
    whole = models.describe("voc-fcn32s", classes=6)
    assert len(whole.layers) - len(without_dropout(whole).layers) == 2


@pytest.mark.slow
def test_the_page() -> None:
    page = named("dropout").run(Settings(train_set=SHAPES, val_set=SHAPES, iterations=2))
    assert page.comparisons[0].paper == "reported: leaving it out made little difference"
