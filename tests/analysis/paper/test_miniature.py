"""What small trainings share: the net, the figures of several seeds, and a loss that is not finite."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from fcnlite import data
from fcnlite.analysis.paper import miniature
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.miniature import Budget, Way
from fcnlite.analysis.paper.training import Training, shipped_trunk, small_net
from fcnlite.errors import TrainingError

SHAPES = data.open("shapes", split="train", size=32, count=8)


def test_figures_of_several_seeds() -> None:
    assert miniature.spread([70.0, 72.0]) == "71.0 ± 1.4"
    assert miniature.spread([0.5], 3, sign=True) == "+0.500"
    differences = [0.1, 0.5, -0.2, 0.3]
    low, high = stats.ttest_1samp(differences, 0).confidence_interval()
    assert 2 * miniature.interval(differences) == pytest.approx(high - low)
    assert "includes 0" in miniature.verdict(differences)
    assert "does not include 0" in miniature.verdict([1.0, 1.1, 0.9])
    assert miniature.verdict([1.0]) == "one training, so the spread is not known"


def test_seeds_repeat_unless_weights_are_given() -> None:
    assert list(miniature.seeds(Settings(seed=5), 3)) == [5, 6, 7]
    assert list(miniature.seeds(Settings(seed=5, init="x.h5"), 3)) == [5]


def test_the_mean_of_trainings_ends_with_the_shortest() -> None:
    long, short = Training((4.0, 2.0), (1.0, 2.0), (8, 16)), Training((2.0,), (3.0,), (8,))
    assert miniature.averaged([long, short]) == Training((3.0,), (2.0,), (8,))


def test_a_way_is_trained_for_each_seed() -> None:
    budget = Budget(shipped_trunk(), 1, 2, range(2), {"base_lr": 0.01, "momentum": 0.9})
    outcome = budget.run(Way("plain", small_net(6, 8), inspect=lambda net: net.seed), SHAPES, SHAPES)
    assert outcome.inspected == [0, 1] and len(outcome.row()) == 4
    assert [each.losses[0] for each in outcome.trainings] == pytest.approx([np.log(6)] * 2, rel=1e-5)
    assert outcome.gains(outcome) == [0, 0]
    hopeless = Budget(shipped_trunk(), 9, 2, range(1), {"base_lr": 1e30, "momentum": 0.9})
    with pytest.raises(TrainingError, match="plain: the loss is infinite or NaN after"):
        hopeless.run(Way("plain", small_net(6, 8)), SHAPES, SHAPES)
