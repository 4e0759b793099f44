"""Class balancing: shares, weights, and a loss that equal weights leave as it is."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite import data, models
from fcnlite.analysis.paper.augmentation import balanced, class_weights, sampled_by_class, shares
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.table import named
from fcnlite.analysis.paper.training import begin, train

SHAPES = data.open("shapes", split="train", size=64, count=4)


def test_rare_classes_weigh_more_and_the_mean_stays() -> None:
    found = shares(SHAPES)
    assert found.sum() == pytest.approx(1) and found[0] > 0.5
    weights = class_weights(found)
    assert weights @ found == pytest.approx(1)
    assert weights.argmin() == found.argmax() and weights.argmax() == found.argmin()


def test_equal_weights_change_nothing() -> None:
    spec = models.describe("lite-fcn8s", classes=6, width=1 / 16)
    plain, same = (
        train(begin(each, SHAPES), SHAPES, 3, base_lr=0.001).losses for each in (spec, balanced(spec, np.ones(6)))
    )
    assert same == pytest.approx(plain, rel=1e-3)


def test_sampling_keeps_a_class_in_proportion_to_its_weight() -> None:
    label = np.repeat(np.array([0, 1, 255], np.uint8), 4000).reshape(1, 1, 100, 120)
    kept = sampled_by_class(np.array([0.5, 2.0]))(label, np.random.default_rng(0))
    assert np.count_nonzero(kept == 0) == pytest.approx(1000, abs=100)
    assert np.count_nonzero(kept == 1) == 4000
    assert set(np.unique(kept)) == {0, 1, 255}


@pytest.mark.slow
def test_the_page_compares_with_plain_training() -> None:
    page = named("augmentation").run(Settings(train_set=SHAPES, val_set=SHAPES, iterations=1))
    assert [each.paper for each in page.comparisons[:4]] == [*["no noticeable gain"] * 2, *["unnecessary"] * 2]
