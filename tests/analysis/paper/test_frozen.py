"""A frozen trunk does not move, and the page compares three ways to learn."""

from __future__ import annotations

import numpy as np

from fcnlite import data, models
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.frozen import frozen
from fcnlite.analysis.paper.table import named
from fcnlite.analysis.paper.training import begin, shipped_trunk, train, weights_of

SHAPES = data.open("shapes", split="train", size=32, count=4)


def test_only_the_scores_of_a_frozen_net_learn() -> None:
    net = begin(frozen(models.describe("lite-fcn8s", classes=6, width=1 / 8)), SHAPES, shipped_trunk())
    before = weights_of(net)
    train(net, SHAPES, 2, base_lr=0.01)
    moved = {
        name
        for name, arrays in weights_of(net).items()
        if not name.startswith("bn") and any(np.any(a != b) for a, b in zip(arrays, before[name], strict=True))
    }
    assert moved == {"score_fr", "score_pool4", "score_pool3"}


def test_the_page_has_three_ways() -> None:
    page = named("frozen").run(Settings(train_set=SHAPES, val_set=SHAPES, iterations=1))
    assert [each.paper for each in page.comparisons] == ["59.4", "45.4", "infeasible", "70 % (76 % by table 2)"]
