"""Learning rates and options."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from fcnlite.errors import SpecError, TrainingError
from fcnlite.solver import SGD
from fcnlite.solver.options import NEEDS
from fcnlite.solver.rates import POLICIES
from tests.solver.nets import arrays, assert_equal, batch, train_net


def rates(count: int, **options: Any) -> list[float]:
    sgd = SGD(train_net(), **options)
    found = []
    for iteration in range(count):
        sgd.iteration = iteration
        found.append(sgd.rate)
    return found


def test_rates_of_the_policies() -> None:
    assert rates(3, base_lr=0.1) == [0.1] * 3
    step = rates(7, base_lr=0.1, lr_policy="step", gamma=0.5, stepsize=3)
    assert step == pytest.approx([0.1] * 3 + [0.05] * 3 + [0.025])
    poly = rates(5, base_lr=0.1, lr_policy="poly", power=2.0, max_iter=4)
    assert poly == pytest.approx([0.1 * (1 - i / 4) ** 2 for i in range(5)])
    multistep = rates(7, base_lr=0.1, lr_policy="multistep", gamma=0.5, stepvalue=[2, 3, 6])
    assert multistep == pytest.approx([0.1, 0.1, 0.05, 0.025, 0.025, 0.025, 0.0125])
    exp = rates(3, base_lr=0.1, lr_policy="exp", gamma=0.9)
    assert exp == pytest.approx([0.1, 0.09, 0.081])
    inv = rates(4, base_lr=0.1, lr_policy="inv", gamma=0.5, power=2)
    assert inv == pytest.approx([0.1 / (1 + 0.5 * i) ** 2 for i in range(4)])
    sigmoid = rates(9, base_lr=0.1, lr_policy="sigmoid", gamma=-2, stepsize=4)
    assert sigmoid == pytest.approx([0.1 / (1 + math.exp(2 * (i - 4))) for i in range(9)])
    assert rates(1, base_lr=0.1, lr_policy="sigmoid", gamma=-200, stepsize=90000) == [0.1]  # no overflow
    cosine = rates(7, base_lr=0.2, lr_policy="cosine", max_iter=6)
    half = math.sqrt(3) / 2
    assert cosine == pytest.approx([0.2, 0.1 + 0.1 * half, 0.15, 0.1, 0.05, 0.1 - 0.1 * half, 0.0])
    assert rates(9, base_lr=0.2, lr_policy="cosine", max_iter=6)[-2:] == [0.0, 0.0]


OF_POLICY: dict[str, dict[str, Any]] = {
    "fixed": {},
    "step": {"stepsize": 2},
    "multistep": {"stepvalue": (1, 4)},
    "exp": {"gamma": 0.9},
    "inv": {"gamma": 0.5, "power": 2.0},
    "poly": {"power": 0.9, "max_iter": 7},
    "sigmoid": {"gamma": -2.0, "stepsize": 4},
    "cosine": {"max_iter": 7},
}


@pytest.mark.parametrize("policy", NEEDS)
def test_the_rate_of_every_policy_is_warmed_up(policy: str) -> None:
    options = {"base_lr": 0.1, "lr_policy": policy, **OF_POLICY[policy]}
    full, warmed = rates(6, **options), rates(6, **options, warmup=4)
    assert warmed == pytest.approx([full[0] / 4, full[1] / 2, full[2] * 3 / 4, *full[3:]])
    assert warmed[4:] == full[4:]


@pytest.mark.parametrize(
    ("options", "iteration", "words"),
    [
        ({"lr_policy": "poly", "power": -1.0, "max_iter": 2}, 2, "'poly'.*iteration 2.*power -1"),
        ({"lr_policy": "exp", "gamma": 10.0}, 400, "'exp'.*iteration 400.*gamma 10"),
        ({"lr_policy": "exp", "gamma": 1e300, "base_lr": 1e10}, 1, "base_lr 10000000000.0, gamma 1e\\+300"),
    ],
)
def test_a_rate_that_is_not_finite_is_named_and_changes_nothing(
    options: dict[str, Any], iteration: int, words: str
) -> None:
    sgd = SGD(train_net(), **options)
    sgd.iteration = iteration
    before = arrays(sgd.net)
    with pytest.raises(TrainingError, match=words):
        sgd.step(batch())
    assert sgd.iteration == iteration
    assert_equal(arrays(sgd.net), before)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"lr_policy": "stepp", "stepsize": 1}, "'stepp'.*'step'"),
        ({"lr_policy": "step"}, "stepsize"),
        ({"lr_policy": "poly"}, "max_iter"),
        ({"lr_policy": "multistep"}, "stepvalue"),
        ({"lr_policy": "multistep", "stepvalue": (3, 3)}, "stepvalue.*3, 3"),
        ({"lr_policy": "multistep", "stepvalue": (0, 3)}, "stepvalue"),
        ({"lr_policy": "multistep", "stepvalue": 3}, "stepvalue"),
        ({"regularization_type": "l2"}, "regularization_type.*'l2'"),
        ({"clip_gradients": 0}, "clip_gradients"),
        ({"momentum2": 1.0}, "momentum2"),
        ({"rms_decay": -0.1}, "rms_decay"),
        ({"average_loss": 0}, "average_loss"),
        ({"delta": -1.0}, "delta"),
        ({"lr_policy": "cosine"}, "'cosine' needs max_iter"),
        ({"warmup": -1}, "warmup"),
        ({"base_lr": -1.0}, "base_lr"),
        ({"base_lr": float("nan")}, "base_lr"),
        ({"momentum": -0.1}, "momentum"),
        ({"weight_decay": -1.0}, "weight_decay"),
        ({"iter_size": 0}, "iter_size"),
        ({"momentun": 0.9}, "'momentun'.*'momentum'"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        SGD(train_net(), **options)


@pytest.mark.parametrize(
    "option",
    [{"iter_size": "2"}, {"iter_size": 1.5}, {"iter_size": True}, {"gamma": "x"}, {"power": np.nan}, {"lr_policy": 3}],
)
def test_options_of_the_wrong_type_are_named(option: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match=next(iter(option))):
        SGD(train_net(), **option)


def test_every_policy_names_the_options_that_it_reads() -> None:
    assert list(POLICIES) == list(NEEDS)
