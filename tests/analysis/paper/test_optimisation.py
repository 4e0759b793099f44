"""Batch and momentum: accumulated gradients against a batch, and the modes at their best rates."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite import data
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.optimisation import Mode, Sequence
from fcnlite.analysis.paper.page import Table
from fcnlite.analysis.paper.table import named
from fcnlite.analysis.paper.training import begin, shipped_trunk, small_net, weights_of
from fcnlite.errors import SpecError

SHAPES = data.open("shapes", split="train", size=32, count=20)


def test_accumulated_gradients_are_those_of_a_batch() -> None:
    spec = small_net(6, 8, "NONE")
    mode = Mode("four", 4, 0.9, 0.0)
    start = weights_of(begin(spec, SHAPES, shipped_trunk()))
    found = []
    for accumulate in (False, True):
        sequence = Sequence(spec, shipped_trunk(), SHAPES, 8, 0.0, accumulate)
        net, training = sequence.learn(mode, 1e-7, 0)
        found.append(weights_of(net))
        assert training.pictures == (4, 8)
        assert training.losses[0] == pytest.approx(np.log(6) * 32 * 32, rel=0.3)
    for name in ("score_fr", "conv6"):
        a, b = (weights[name][0] for weights in found)
        moved = np.abs(a - start[name][0]).max()
        assert moved > 0 and np.abs(a - b).max() < 1e-2 * moved


@pytest.mark.slow
def test_the_page_sweeps_rates_and_compares_the_best() -> None:
    page = named("optimisation").run(Settings(train_set=SHAPES, val_set=SHAPES, iterations=20))
    assert [each.paper for each in page.comparisons][:3] == ["reported 51.9", "reported 60.7", "reported 63.6"]
    assert {"1e-04", "1e-01"} <= {cell for part in page.parts if isinstance(part, Table) for cell in part.heading}
    with pytest.raises(SpecError, match="10 pictures; expected at least 20"):
        named("optimisation").run(Settings(iterations=10))


@pytest.mark.slow
def test_single_pictures_beat_accumulated_batches_at_their_best_rates() -> None:
    page = named("optimisation").run(Settings(iterations=300))
    accumulated, online = (float(each.ours.split()[0]) for each in page.comparisons[:2])
    assert accumulated < online
