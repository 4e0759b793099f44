"""Momentum as a window: the formula against the recursion, and the solver against both."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite import SGD, data
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.momentum_window import (
    averaged_examples,
    descend,
    equivalent_momentum,
    follow,
    steps,
    total_weight,
    weights,
)
from fcnlite.analysis.paper.table import named
from fcnlite.errors import SpecError
from fcnlite.models.builder import Builder
from fcnlite.net import Net


def test_the_equivalent_momentum_is_an_equivalence() -> None:
    p = equivalent_momentum(20, 0.9, 1)
    assert p == pytest.approx(0.99475, abs=1e-5)
    assert equivalent_momentum(1, p, 20) == pytest.approx(0.9)
    assert equivalent_momentum(4, equivalent_momentum(20, 0.9, 4), 1) == pytest.approx(p)


@pytest.mark.parametrize(("k", "p"), [(1, 0.9), (4, 0.6), (20, 0.9)])
def test_a_step_is_the_weighted_sum_of_the_examples(k: int, p: float) -> None:
    gradients = np.random.default_rng(0).standard_normal(40 * k)
    window = weights(k, p, len(gradients))
    assert steps(gradients, k, p)[-1] == pytest.approx((window * gradients[::-1]).sum())
    long = weights(k, p, 400 * k)
    assert long.sum() == pytest.approx(total_weight(k, p))
    assert long.sum() ** 2 / (long**2).sum() == pytest.approx(averaged_examples(k, p))


def test_equivalent_settings_give_equal_steps_if_only_the_newest_of_each_batch_counts() -> None:
    k, p = 5, 0.7
    gradients = np.zeros(100)
    gradients[k - 1 :: k] = np.random.default_rng(0).standard_normal(20)
    online = steps(gradients, 1, equivalent_momentum(k, p, 1))
    np.testing.assert_allclose(steps(gradients, k, p), online[k - 1 :: k], rtol=1e-12)


def test_equivalent_settings_average_about_as_many_examples() -> None:
    assert averaged_examples(20, 0.9) == pytest.approx(380)
    assert averaged_examples(1, equivalent_momentum(20, 0.9, 1)) == pytest.approx(380, rel=0.002)
    assert averaged_examples(1, 0.9) == pytest.approx(19)


@pytest.mark.parametrize(("k", "p"), [(1, 0.9), (3, 0.8)])
def test_the_solver_takes_these_steps(k: int, p: float) -> None:
    builder = Builder("quadratic")
    picture, label = builder.input("data", 1, 1), builder.input("label", 1, 1)
    score = builder.inner_product("weight", picture, 1, param=(), bias_term=False)
    builder.add("loss", "EuclideanLoss", (score, label))
    net = Net(builder.spec(), phase="TRAIN", path="plain", dtype="float64")
    net.params["weight"][0].data = np.ones((1, 1))
    targets = np.random.default_rng(0).standard_normal(8 * k)
    # The solver averages the gradients of the passes; the paper sums them.
    solver = SGD(net, base_lr=0.01 * k, momentum=p, iter_size=k, weight_decay=0)
    for batch in targets.reshape(-1, k, 1, 1):
        solver.step([{"data": np.ones((1, 1)), "label": each[None, 0]} for each in batch])
    expected = descend(targets, k, p, 0.01, 1.0)[-1]
    assert net.params["weight"][0].data.item() == pytest.approx(expected, rel=1e-9)


def test_batches_of_the_same_pictures_are_followed() -> None:
    shapes = data.open("shapes", split="train", size=32, count=20)
    batches, single = follow(shapes, 4, 0.9, 1e-3, 8, every=4), follow(shapes, 1, 0.9, 1e-3, 8, every=4)
    assert batches.training.pictures == single.training.pictures == (4, 8)
    np.testing.assert_array_equal(batches.points[0], single.points[0])
    np.testing.assert_array_equal(batches.distance(batches), 0)
    assert (single.distance(batches) > 0).all()


@pytest.mark.slow
def test_a_net_follows_the_equivalent_momentum() -> None:
    shapes = data.open("shapes", split="train", size=64, count=200)
    accumulated = follow(shapes, 20, 0.9, 1e-4, 160)
    far = [
        follow(shapes, 1, p, 1e-4 * (1 - p) / 0.1, 160).distance(accumulated)[-1]
        for p in (0.9, equivalent_momentum(20, 0.9, 1), 0.999)
    ]
    assert 3 * far[1] < min(far[0], far[2])


@pytest.mark.slow
def test_the_page() -> None:
    page = named("momentum-window").run(Settings())
    assert page.comparisons[0].ours == page.comparisons[1].ours == "0.9947"


def test_a_bad_momentum() -> None:
    with pytest.raises(SpecError, match=r"momentum 1\.5: expected"):
        equivalent_momentum(20, 1.5, 1)
