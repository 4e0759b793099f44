"""Scores at random: which layers are filled, and the page."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite import data
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.initialisation import random_scores
from fcnlite.analysis.paper.table import named
from fcnlite.analysis.paper.training import begin, shipped_trunk, small_net, weights_of
from fcnlite.description.fillers import Filler

SHAPES = data.open("shapes", split="train", size=32, count=8)


def test_only_the_weights_of_scores_are_filled() -> None:
    net = begin(small_net(6, 8), SHAPES, shipped_trunk())
    before = weights_of(net)
    random_scores(net, Filler("gaussian", std=0.01))
    changed = {
        (name, index)
        for name, arrays in weights_of(net).items()
        for index, array in enumerate(arrays)
        if not np.array_equal(array, before[name][index])
    }
    assert changed == {("score_fr", 0), ("score_pool4", 0), ("score_pool3", 0)}
    assert net.params["score_fr"][0].array.std() == pytest.approx(0.01, rel=0.15)


@pytest.mark.slow
def test_random_scores_are_no_faster() -> None:
    page = named("initialisation").run(Settings(iterations=20))
    slower = [float(each.ours.split()[0]) for each in page.comparisons if each.what.startswith("mean loss")]
    assert min(slower) > -0.05
