"""Batch and momentum: the weights of past pictures, and accumulated gradients against a batch."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite import data, models
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.optimisation import equivalent_momentum, past_weights
from fcnlite.analysis.paper.table import named
from fcnlite.analysis.paper.training import begin, fixed_statistics, shipped_trunk, train, weights_of
from fcnlite.errors import SpecError

SHAPES = data.open("shapes", split="train", size=32, count=20)


def test_equivalent_momentum_weights_past_pictures_alike() -> None:
    assert equivalent_momentum(0.9, 20) == pytest.approx(0.99475, abs=1e-5)
    assert equivalent_momentum(0.9, 1) == 0.9
    batches, single = past_weights(0.9, 20, 4000), past_weights(equivalent_momentum(0.9, 20), 1, 4000)
    assert batches[0] == batches[19] == 1 and batches[20] == 0.9
    assert sum(batches) == pytest.approx(20 / (1 - 0.9), rel=1e-4)
    assert sum(single) == pytest.approx(sum(batches), rel=0.06)
    with pytest.raises(SpecError, match="momentum 1 with batches of 20"):
        equivalent_momentum(1, 20)


def test_accumulated_gradients_are_those_of_a_batch() -> None:
    spec = fixed_statistics(models.describe("lite-fcn8s", classes=6, width=1 / 8, normalization="NONE"))
    nets = [begin(spec, SHAPES, shipped_trunk()) for _ in range(2)]
    start = weights_of(nets[0])
    # The solver averages the passes, so the rate of their sum is larger by their number.
    train(nets[0], SHAPES, 2, base_lr=4e-7, momentum=0.9, iter_size=4)
    train(nets[1], SHAPES, 2, base_lr=1e-7, momentum=0.9, batch_size=4)
    a, b = (weights_of(net) for net in nets)
    for name in ("score_fr", "conv6"):
        moved = np.abs(a[name][0] - start[name][0]).max()
        assert moved > 0 and np.abs(a[name][0] - b[name][0]).max() < 1e-2 * moved


@pytest.mark.slow
def test_the_page_has_each_mode_at_each_rate() -> None:
    page = named("optimisation").run(Settings(train_set=SHAPES, val_set=SHAPES, iterations=20))
    assert [each.paper for each in page.comparisons][:3] == ["reported 51.9", "reported 60.7", "reported 63.6"]
    with pytest.raises(SpecError, match="10 pictures; expected at least 20"):
        named("optimisation").run(Settings(iterations=10))


@pytest.mark.slow
def test_at_a_low_rate_single_pictures_and_momentum_help() -> None:
    page = named("optimisation").run(Settings(iterations=300))
    accumulated, online, heavy = (float(each.ours) for each in page.comparisons[:3])
    assert accumulated < online < heavy
