"""The budget of a page: its seeds, and a loss that is not finite."""

from __future__ import annotations

import pytest

from fcnlite import data
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.tools.budget import Budget, seeds_of
from fcnlite.analysis.paper.tools.small_nets import shipped_trunk, small_fcn
from fcnlite.analysis.paper.tools.training import begin
from fcnlite.errors import TrainingError

SHAPES = data.open("shapes", split="train", size=32, count=8)


def test_seeds_repeat_unless_weights_are_given() -> None:
    assert list(seeds_of(Settings(seed=5), 3)) == [5, 6, 7]
    assert list(seeds_of(Settings(seed=5, init="x.h5"), 3)) == [5]


@pytest.mark.parametrize(
    ("given", "advice"), [(True, "with --init the weights of a VGG-16"), (False, "another --seed")]
)
def test_a_loss_that_is_not_finite_is_an_error_with_a_way_out(given: bool, advice: str) -> None:
    hopeless = Budget(9, 2, range(1), {"base_lr": 1e30, "momentum": 0.9}, given=given)
    net = begin(small_fcn(6, 8), SHAPES, shipped_trunk())
    with pytest.raises(TrainingError, match=rf"lite-fcn8s: the loss is infinite or NaN after .* {advice}"):
        hopeless.train(net, SHAPES, 0)
