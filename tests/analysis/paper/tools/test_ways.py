"""Ways to train a net: one training for each seed, and what they differ by."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite import data
from fcnlite.analysis.paper.tools.budget import Budget
from fcnlite.analysis.paper.tools.small_nets import shipped_trunk, small_fcn
from fcnlite.analysis.paper.tools.ways import Way, compare

SHAPES = data.open("shapes", split="train", size=32, count=8)


def test_a_way_is_trained_for_each_seed() -> None:
    plan = Budget(1, 2, range(2), {"base_lr": 0.01, "momentum": 0.9})
    way = Way("plain", small_fcn(6, 8), inspect=lambda net: net.seed)
    (outcome,) = compare([way], shipped_trunk(), plan, SHAPES, SHAPES).values()
    assert outcome.inspected == [0, 1] and len(outcome.row()) == 4
    assert [each.losses[0] for each in outcome.trainings] == pytest.approx([np.log(6)] * 2, rel=1e-5)
    assert outcome.gains(outcome) == [0, 0]
