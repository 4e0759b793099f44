"""Steps: passes, randomness, and a loss that is not finite."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fcnlite.errors import FcnliteError, SpecError, TrainingError
from fcnlite.solver import SGD
from tests.solver.nets import NET, arrays, assert_equal, batch, train_net


def test_steps_follow_the_formula() -> None:
    net = train_net(NET.replace('type: "Dropout"', 'type: "ReLU"'), dtype="float64")
    sgd = SGD(net, base_lr=0.1, momentum=0.9, weight_decay=0.05)
    other = train_net(NET.replace('type: "Dropout"', 'type: "ReLU"'), dtype="float64")
    velocity = {name: 0 * parameter.array for name, parameter in other.learnable()}
    for i in range(3):
        other.forward(batch(i), keep=True)
        assert sgd.step(batch(i)) == pytest.approx(other.loss, rel=1e-12)  # before the update
        other.backward()
        for name, parameter in other.learnable():
            velocity[name] = 0.9 * velocity[name] + 0.1 * parameter.lr_mult * (
                parameter.grad + 0.05 * parameter.decay_mult * parameter.array
            )
            parameter.data[...] -= velocity[name]
        for name, array in arrays(net).items():
            np.testing.assert_allclose(array, arrays(other)[name], rtol=1e-10, atol=1e-14)
    assert sgd.iteration == 3


def test_frozen_parameters_stay() -> None:
    net = train_net()
    before = arrays(net)
    SGD(net, base_lr=0.1, weight_decay=0.5, momentum=0.9).step(batch())
    after = arrays(net)
    changed = {name for name in before if (before[name] != after[name]).any()}
    assert changed == {"conv[0]", "conv[1]", "score[0]", "score[1]"}


def test_a_net_in_phase_test_is_refused() -> None:
    net = train_net()
    with pytest.raises(SpecError, match=r"in phase TEST, .*phase=\"TRAIN\""):
        SGD(net.share("TEST"))
    assert SGD(net.share("TRAIN"), base_lr=0.1).step(batch()) > 0


@pytest.mark.parametrize("filler", ["xavier", "bilinear", "gaussian", "constant"])
def test_every_filling_can_be_trained(filler: str) -> None:
    net = train_net(NET.replace('"xavier"', f'"{filler}"').replace("lr_mult: 0", "lr_mult: 1"))
    net.params["frozen"][0].data[0] += 1  # otherwise a constant gives nothing to learn
    before = net.params["frozen"][1].array.copy()
    weights = net.params["score"][0].array.copy()
    sgd = SGD(net, base_lr=0.5)
    for i in range(3):
        sgd.step(batch(i))
    assert (net.params["frozen"][1].array != before).any()
    if filler != "constant":
        assert (net.params["score"][0].array != weights).all()


def test_passes_accumulate_like_one_batch() -> None:
    """With VALID normalisation and equal pictures, the mean over passes is the mean over the batch."""
    text = NET.replace('type: "Dropout"', 'type: "ReLU"')
    whole, parts = (train_net(text, dtype="float64") for _ in range(2))
    pictures = batch(0, 4)
    one = SGD(whole, base_lr=0.1, momentum=0.9, weight_decay=0.1)
    four = SGD(parts, base_lr=0.1, momentum=0.9, weight_decay=0.1, iter_size=4)
    for _ in range(2):
        loss = one.step(pictures)
        split = four.step([{name: array[i : i + 1] for name, array in pictures.items()} for i in range(4)])
        assert split == pytest.approx(loss, rel=1e-12)
    for name, array in arrays(whole).items():
        np.testing.assert_allclose(arrays(parts)[name], array, rtol=1e-10, atol=1e-14)


def test_one_batch_is_repeated_for_every_pass() -> None:
    text = NET.replace('type: "Dropout"', 'type: "ReLU"')
    repeated, given = (SGD(train_net(text), base_lr=0.1, iter_size=2) for _ in range(2))
    repeated.step(**batch())
    given.step([batch(), batch()])
    assert_equal(arrays(repeated.net), arrays(given.net))


def test_each_pass_draws_its_own_dropout() -> None:
    net = train_net()
    sgd = SGD(net, base_lr=0.0, iter_size=2)
    kept = []
    original = net.forward

    def spy(*arguments: Any, **how: Any) -> Any:
        out = original(*arguments, **how)
        kept.append(net.blobs["conv"] > 0)
        return out

    net.forward = spy  # type: ignore[method-assign]
    for _ in range(2):
        sgd.step(**batch())
    assert len(kept) == 4
    for i in range(4):
        for j in range(i):
            assert (kept[i] != kept[j]).any()


@pytest.mark.parametrize("passes", [[], [{}], [{}] * 3])
def test_a_wrong_number_of_passes_is_named(passes: list[dict[str, Any]]) -> None:
    with pytest.raises(SpecError, match=f"{len(passes)}.*2"):
        SGD(train_net(), iter_size=2).step(passes)


def test_a_step_without_a_loss_is_named() -> None:
    sgd = SGD(train_net())
    with pytest.raises(FcnliteError, match="label"):
        sgd.step(data=batch()["data"])


def test_two_runs_of_one_seed_are_equal() -> None:
    def run(seed: int) -> dict[str, Any]:
        sgd = SGD(train_net(seed=seed), base_lr=0.1, momentum=0.9)
        for i in range(4):
            sgd.step(batch(i))
        return arrays(sgd.net)

    assert_equal(run(1), run(1))
    assert (run(1)["conv[0]"] != run(2)["conv[0]"]).any()


def test_learning_lowers_the_loss() -> None:
    sgd = SGD(train_net(NET.replace('type: "Dropout"', 'type: "ReLU"')), base_lr=0.2, momentum=0.9)
    losses = [sgd.step(batch()) for _ in range(40)]
    assert losses[-1] < 0.8 * losses[0]


def test_a_layer_unfrozen_after_the_solver_was_made_learns() -> None:
    net = train_net()
    sgd = SGD(net, base_lr=0.1, momentum=0.9)
    weight = net.params["frozen"][0]
    weight.lr_mult = 1.0
    before = weight.array.copy()
    sgd.step(batch())
    assert not np.array_equal(weight.array, before)


@pytest.mark.parametrize("where", ["data", "score"])
def test_a_loss_that_is_not_finite_changes_nothing(where: str) -> None:
    net = train_net()
    sgd = SGD(net, base_lr=0.1, momentum=0.9, iter_size=2)
    sgd.step(**batch())
    good, bad = batch(1), batch(1)
    if where == "data":
        bad["data"][0, 0, 0, 0] = np.nan
    else:
        net.params["score"][1].data[0] = np.inf
    before = arrays(net)
    with pytest.raises(TrainingError, match=rf"iteration 1\b.*'{where}'"):
        sgd.step([good, bad])
    assert_equal(arrays(net), before)
    assert sgd.iteration == 1


def test_a_refused_step_does_not_affect_later_ones() -> None:
    bad = batch(7)
    bad["data"][...] = np.nan
    sgd, other = (SGD(train_net(), base_lr=0.1, momentum=0.9) for _ in range(2))
    for each in (sgd, other):
        each.step(batch(0))
    with pytest.raises(TrainingError):
        sgd.step(bad)
    for each in (sgd, other):
        each.step(batch(1))
    assert_equal(arrays(sgd.net), arrays(other.net))
