"""A frozen trunk does not move, and the page compares the ways to learn."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite import data
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.frozen import FINE_TUNED, FROZEN, NORMALISED, SCRATCH, frozen, without_batch_norm
from fcnlite.analysis.paper.page import Table
from fcnlite.analysis.paper.table import named
from fcnlite.analysis.paper.training import METRICS, begin, shipped_trunk, small_net, train, weights_of

SHAPES = data.open("shapes", split="train", size=32, count=4)


def test_only_the_scores_of_a_frozen_net_learn() -> None:
    net = begin(frozen(small_net(6, 8)), SHAPES, shipped_trunk())
    before = weights_of(net)
    train(net, SHAPES, 2, base_lr=0.01)
    moved = {
        name
        for name, arrays in weights_of(net).items()
        if any(np.any(a != b) for a, b in zip(arrays, before[name], strict=True))
    }
    assert moved == {"score_fr", "score_pool4", "score_pool3"}


def test_a_net_without_batch_norm_keeps_its_other_layers() -> None:
    spec = small_net(6, 32)
    left = [layer.name for layer in spec if layer.type != "BatchNorm"]
    assert [layer.name for layer in without_batch_norm(spec)] == left


def test_the_page_has_four_ways() -> None:
    page = named("frozen").run(Settings(train_set=SHAPES, val_set=SHAPES, iterations=1))
    assert [each.paper for each in page.comparisons[2:]] == ["infeasible", "", "70 % (76 % by table 2)"]
    assert len(page.comparisons) == 5


@pytest.mark.slow
def test_fine_tuning_beats_a_frozen_trunk_and_both_beat_scratch() -> None:
    page = named("frozen").run(Settings())
    table = next(part for part in page.parts if isinstance(part, Table))
    found = {row[0]: float(row[2 + METRICS.index("mean IU")]) for row in table.rows}
    assert found[FINE_TUNED] > found[FROZEN] > max(found[SCRATCH], found[NORMALISED])
