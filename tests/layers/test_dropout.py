"""Dropout: its share, its mean and its random numbers."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite.arrays import Array
from fcnlite.errors import SpecError
from tests.layers.single import NAN, compute, one


def test_dropout_keeps_the_mean_and_drops_the_share() -> None:
    x = np.ones((4, 10, 50, 50))
    for ratio in (0.2, 0.5, 0.9):
        (top,) = compute("Dropout", [x], {"dropout_ratio": ratio}, phase="TRAIN")
        np.testing.assert_allclose(np.unique(top), [0, 1 / (1 - ratio)])
        assert np.mean(top == 0) == pytest.approx(ratio, abs=0.01)
        assert top.mean() == pytest.approx(1, abs=0.05)


def test_dropout_is_the_identity_in_test() -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    np.testing.assert_array_equal(compute("Dropout", [x], {"dropout_ratio": 0.7})[0], x)


def test_dropout_depends_on_seed_iteration_and_layer_only() -> None:
    x = np.ones(1000)

    def mask(seed: int = 0, iteration: int = 0, name: str = "layer", before: int = 0) -> Array:
        net = one("Dropout", [(1000,)], phase="TRAIN", seed=seed, name=name)
        for _ in range(before):
            net.forward(x0=x)
        net.iteration = iteration
        return net.forward(x0=x)["y0"] > 0

    np.testing.assert_array_equal(mask(), mask(before=3))
    for other in (mask(seed=1), mask(iteration=1), mask(name="other")):
        assert 300 < (mask() != other).sum() < 700


def test_dropout_draws_again_at_each_training_pass() -> None:
    net = one("Dropout", [(1000,)], phase="TRAIN")
    x = np.ones(1000)
    first, second = (net.forward(x0=x, keep=True)["y0"] for _ in range(2))
    assert (first != second).sum() > 300


def test_dropout_drops_in_backward_what_forward_dropped() -> None:
    net = one("Dropout", [(100,)], phase="TRAIN")
    top = net.forward(x0=np.ones(100), keep=True)["y0"]
    net.backward(y0=np.ones(100), wrt=["x0"])
    np.testing.assert_array_equal(net.grads["x0"], top)


@pytest.mark.parametrize("ratio", [-0.1, 1.0, 1.5, NAN])
def test_dropout_refuses_other_ratios(ratio: float) -> None:
    with pytest.raises(SpecError, match=r"'layer'.*dropout_ratio"):
        one("Dropout", [(3,)], {"dropout_ratio": ratio})
