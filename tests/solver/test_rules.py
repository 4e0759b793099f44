"""The solvers' rules, decay, multipliers, clipping and smoothing."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fcnlite
from fcnlite import solver
from fcnlite.arrays import Array
from fcnlite.errors import SpecError, TrainingError
from fcnlite.net import Net
from fcnlite.solver import SGD
from tests.solver.nets import NET, arrays, batch, train_net

STEADY = NET.replace('type: "Dropout"', 'type: "ReLU"')
RATE, MOMENTUM = 0.05, 0.8
Rule = Callable[[Array, dict[str, Array], int], Array]


def adam(g: Array, h: dict[str, Array], t: int) -> Array:
    h["m"] = MOMENTUM * h.get("m", 0 * g) + (1 - MOMENTUM) * g
    h["v"] = 0.95 * h.get("v", 0 * g) + 0.05 * g**2
    return math.sqrt(1 - 0.95**t) / (1 - MOMENTUM**t) * h["m"] / (np.sqrt(h["v"]) + 1e-6)


def adadelta(g: Array, h: dict[str, Array], t: int) -> Array:
    h["h"] = MOMENTUM * h.get("h", 0 * g) + (1 - MOMENTUM) * g**2
    s = g * np.sqrt((h.get("u", 0 * g) + 1e-6) / (h["h"] + 1e-6))
    h["u"] = MOMENTUM * h.get("u", 0 * g) + (1 - MOMENTUM) * s**2
    return s


def adagrad(g: Array, h: dict[str, Array], t: int) -> Array:
    h["h"] = h.get("h", 0 * g) + g**2
    return g / (np.sqrt(h["h"]) + 1e-6)


def rmsprop(g: Array, h: dict[str, Array], t: int) -> Array:
    h["h"] = 0.95 * h.get("h", 0 * g) + 0.05 * g**2
    return g / (np.sqrt(h["h"]) + 1e-6)


def nesterov(g: Array, h: dict[str, Array], t: int) -> Array:
    before = h.get("v", 0 * g)
    h["v"] = MOMENTUM * before + g
    return (1 + MOMENTUM) * h["v"] - MOMENTUM * before


# With a fixed rate and multipliers, the histories may leave out the rate.
RULES: dict[str, tuple[Rule, dict[str, float]]] = {
    "Nesterov": (nesterov, {"momentum": MOMENTUM}),
    "AdaGrad": (adagrad, {"delta": 1e-6}),
    "RMSProp": (rmsprop, {"delta": 1e-6, "rms_decay": 0.95}),
    "AdaDelta": (adadelta, {"delta": 1e-6, "momentum": MOMENTUM}),
    "Adam": (adam, {"delta": 1e-6, "momentum": MOMENTUM, "momentum2": 0.95}),
    "AdamW": (adam, {"delta": 1e-6, "momentum": MOMENTUM, "momentum2": 0.95}),
}


@pytest.mark.parametrize("decay", ["L1", "L2"])
@pytest.mark.parametrize("name", RULES)
def test_steps_follow_the_rule(name: str, decay: str) -> None:
    rule, options = RULES[name]
    net, other = (train_net(STEADY, dtype="float64") for _ in range(2))
    followed = solver.create(
        name, net, base_lr=RATE, weight_decay=0.05, regularization_type=decay, iter_size=2, **options
    )
    histories: dict[str, dict[str, Array]] = {}
    for i in range(4):
        passes = [batch(2 * i), batch(2 * i + 1)]
        followed.step(passes)
        for k, each in enumerate(passes):
            other.forward(each, keep=True)
            other.backward(accumulate=k > 0)
        for key, parameter in other.learnable():
            w = parameter.array
            pull = np.sign(w) if decay == "L1" else w
            g, shrink = parameter.grad / 2, 0.05 * parameter.decay_mult * pull
            if name == "AdamW" and decay == "L2":
                parameter.data[...] -= RATE * parameter.lr_mult * shrink  # separate from the gradient
            else:
                g += shrink
            parameter.data[...] -= RATE * parameter.lr_mult * rule(g, histories.setdefault(key, {}), i + 1)
        for key, array in arrays(net).items():
            np.testing.assert_allclose(array, arrays(other)[key], rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("name", ["SGD", *RULES])
def test_every_solver_learns_with_its_usual_options(name: str) -> None:
    assert getattr(fcnlite, name) is solver.TYPES[name]
    learner = solver.create(name, train_net(STEADY), **{"base_lr": 0.2} if name in ("SGD", "Nesterov") else {})
    losses = [learner.step(batch()) for _ in range(100)]
    assert losses[-1] < 0.97 * losses[0]


def test_an_unknown_solver_is_named() -> None:
    with pytest.raises(SpecError, match=r"'adam'.*'Adam'"):
        solver.create("adam", train_net())


@pytest.mark.parametrize("name", ["AdaGrad", "RMSProp"])
def test_a_momentum_that_the_rule_does_not_have_is_refused(name: str) -> None:
    with pytest.raises(SpecError, match=rf"momentum is 0\.9.*{name}"):
        solver.create(name, train_net(), momentum=0.9)


def test_adam_needs_a_momentum_below_one() -> None:
    with pytest.raises(SpecError, match=r"momentum is 1.*Adam"):
        fcnlite.Adam(train_net(), momentum=1.0)


# Clipping


def moved(net: Net, **options: Any) -> dict[str, Array]:
    """The change of one step at a rate of 1."""
    before = arrays(net)
    SGD(net, base_lr=1.0, **options).step(batch())
    return {name: before[name] - array for name, array in arrays(net).items()}


def norm_of(gradients: dict[str, Array]) -> float:
    return math.sqrt(sum(float((each**2).sum()) for each in gradients.values()))


def gradients_of(net: Net, frozen: bool = False) -> dict[str, Array]:
    net.forward(batch(), keep=True)
    net.backward(frozen=frozen)
    return {f"{name}[{i}]": each.grad.copy() for name, ps in net.params.items() for i, each in enumerate(ps)}


def test_gradients_above_the_limit_are_scaled_to_it_together() -> None:
    equal_rates = STEADY.replace("lr_mult: 2", "lr_mult: 1")
    gradients = gradients_of(train_net(equal_rates, dtype="float64"))
    limit = norm_of(gradients) / 3
    change = moved(train_net(equal_rates, dtype="float64"), clip_gradients=limit)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(change[name], gradient / 3, rtol=1e-10, atol=1e-15)
    above = moved(train_net(equal_rates, dtype="float64"), clip_gradients=limit * 3.001)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(above[name], gradient, rtol=1e-10, atol=1e-15)


def test_the_sum_over_passes_is_clipped_before_it_is_divided() -> None:
    equal_rates = STEADY.replace("lr_mult: 2", "lr_mult: 1")
    gradients = gradients_of(train_net(equal_rates, dtype="float64"))
    limit = norm_of(gradients)
    change = moved(train_net(equal_rates, dtype="float64"), clip_gradients=limit, iter_size=4)
    assert norm_of(change) == pytest.approx(limit / 4)


def test_frozen_gradients_count_if_the_net_forces_them() -> None:
    equal_rates = STEADY.replace("lr_mult: 2", "lr_mult: 1")
    net = train_net(equal_rates, dtype="float64")
    forced = Net(dataclasses.replace(net.spec, force_backward=True), phase="TRAIN", path="plain", dtype="float64")
    everything = gradients_of(net, frozen=True)
    learned = {name: g for name, g in everything.items() if not name.startswith("frozen")}
    assert norm_of(everything) > 1.001 * norm_of(learned)
    change = moved(forced, clip_gradients=norm_of(everything) / 2)
    for name, gradient in learned.items():
        np.testing.assert_allclose(change[name], gradient / 2, rtol=1e-10, atol=1e-15)
    assert not change["frozen[0]"].any()


def test_a_norm_that_is_not_finite_stops_before_anything_changes() -> None:
    net = train_net(STEADY)
    clipped = SGD(net, clip_gradients=1.0)
    net.params["conv"][0].data[...] = 0
    net.params["score"][0].data[...] = 0
    net.params["frozen"][0].data[...] = 3e38
    before = arrays(net)
    feed = batch()
    feed["data"] *= 1e30
    with np.errstate(all="ignore"), pytest.raises(TrainingError, match="norm"):
        clipped.step(feed)
    for name, array in arrays(net).items():
        np.testing.assert_array_equal(array, before[name])


# Smoothing


def test_the_smoothed_loss_is_the_mean_of_the_last_ones() -> None:
    smoothed = SGD(train_net(), base_lr=0.1, average_loss=3)
    assert math.isnan(smoothed.smoothed_loss)
    losses = []
    for i in range(6):
        losses.append(smoothed.step(batch(i)))
        assert smoothed.smoothed_loss == pytest.approx(sum(losses[-3:]) / len(losses[-3:]), rel=1e-12)
