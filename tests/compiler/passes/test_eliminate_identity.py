"""Layers that return their input are removed, unless they must stay."""

from __future__ import annotations

import pytest

from fcnlite.description.spec import LayerSpec
from tests.compiler.passes.small_nets import FEEDS, check, net_of
from tests.compiler.path_comparison import (
    assert_all_near,
    assert_same_gradients,
    conv,
    in_place,
    layer,
    plan_of,
    reference_net,
    worked,
)


def test_dropout_and_split_are_dropped_in_inference() -> None:
    layers = (
        conv("a", "data", 5),
        in_place("Dropout", "a"),
        LayerSpec("split", "Split", ("a",), ("b", "c")),
        layer("d", "Dropout", "b"),
        in_place("ReLU", "d"),
        layer("sum", "Eltwise", ("c", "d")),
    )
    plan = check(*layers)
    assert worked(plan) == {"a", "relu_d", "sum"}
    assert len(plan.notes["eliminate_identity"]) == 3


def test_dropout_stays_in_the_train_phase() -> None:
    net = net_of(conv("a", "data", 20), in_place("Dropout", "a"), conv("b", "a", 4), phase="TRAIN")
    found = net.forward(FEEDS, keep=True)
    assert_all_near(found, reference_net(net).forward(FEEDS, keep=True))
    assert "dropout_a" in worked(plan_of(net, FEEDS, keep=True))
    assert 0.3 < (net.blobs["a"] == 0).mean() < 0.7


@pytest.mark.parametrize("how", ["Dropout", "Split"])
def test_dropped_blobs_may_be_requested(how: str) -> None:
    """Each is a separate array."""
    layers = (layer("d", how, "data"), layer("e", how, "d"), conv("a", "e", 5))
    net = net_of(*layers)
    outputs = ["data", "d", "e", "a"]
    found, expected = net.forward(FEEDS, outputs=outputs), reference_net(net).forward(FEEDS, outputs=outputs)
    assert_all_near(found, expected)
    for name in ("data", "d", "e"):
        found[name][...] = 7
        assert sum(bool((each == 7).all()) for each in (FEEDS["data"], *found.values())) == 1
        found[name][...] = 0


def test_gradients_of_layers_dropped_in_inference() -> None:
    """A blob that Dropout and another layer read gets the sum of their gradients; Dropout's top gets its own."""
    layers = (
        conv("a", "data", 5),
        layer("dropped", "Dropout", "a"),
        conv("b", "dropped", 4),
        conv("c", "a", 4),
        LayerSpec("split", "Split", ("a",), ("one", "two")),
        conv("d", "one", 4),
        conv("e", "two", 4),
    )
    assert_same_gradients(net_of(*layers), FEEDS, ["data", "a", "dropped", "one", "two"])


def test_the_gradient_of_a_loss_through_dropout() -> None:
    layers = (conv("a", "data", 5), conv("b", "data", 5), layer("l", "EuclideanLoss", ("a", "b")))
    fast = net_of(*layers, in_place("Dropout", "l"))
    reference = reference_net(fast)
    for net in (fast, reference):
        net.forward(FEEDS, keep=True)
        net.backward(wrt=["l", "a"])
    assert_all_near(fast.grads, reference.grads)


def test_dropout_with_other_readers_before_it_stays_in_training() -> None:
    """The gradient of its bottom is not that of its top."""
    half = layer("c", "Power", "a", scale=0.5)
    net = net_of(conv("a", "data", 20), conv("b", "a", 4), in_place("Dropout", "a"), half)
    assert_same_gradients(net, FEEDS, ["data", "a"])
