"""ReLU and PReLU become the last step of a convolution; the others stay."""

from __future__ import annotations

from typing import Any

import pytest

from fcnlite.description.spec import LayerSpec
from tests.compiler.passes.small_nets import FEEDS, check, net_of
from tests.compiler.path_comparison import assert_same_outputs, conv, does, gradients, layer, plan_of, pool


def test_relu_becomes_the_convolutions_last_step() -> None:
    for top in ("a", "b"):
        layers = (conv("a", "data", 20), layer("relu", "ReLU", "a", top), conv("c", top, 4, 1))
        plan = check(*layers)
        assert does(plan, "a").layers == ("a", "relu")


def test_in_training_only_where_it_is_in_place() -> None:
    for top, together in (("a", ("a", "relu")), ("b", ("a",))):
        layers = (conv("a", "data", 20), layer("relu", "ReLU", "a", top), conv("c", top, 4))
        plan = plan_of(net_of(*layers), FEEDS, keep=True)
        assert does(plan, "a").layers == together


@pytest.mark.parametrize("kind", ["PReLU", "shared", 0.1, -0.5])
@pytest.mark.parametrize("top", ["a", "b"])
def test_leaky_relus_and_prelus_too_unless_a_backward_may_follow(kind: str | float, top: str) -> None:
    def rectifier(name: str, bottom: str, top: str) -> LayerSpec:
        if isinstance(kind, float):
            return layer(name, "ReLU", bottom, top, negative_slope=kind)
        return layer(name, "PReLU", bottom, top, channel_shared=kind == "shared")

    layers = (
        conv("a", "data", 20),
        rectifier("relu", "a", top),
        conv("c", top, 20),
        conv("d", "c", 20),
        rectifier("relu_d", "d", "d"),
        pool("e", "d"),
        conv("f", "e", 20),
    )
    plan = check(*layers)
    assert "relu" in does(plan, "a").layers
    assert does(plan, "e").layers == ("e",)  # negative slopes reverse the order of values
    assert does(plan_of(net_of(*layers), FEEDS, keep=True), "a").layers == ("a",)


@pytest.mark.parametrize("slope", [0.0, 0.1])
def test_in_place_activations_between_blocked_operations_keep_their_memory(slope: float) -> None:
    """Their outputs keep their memory until the last read, in either layout."""
    layers = []
    below = "data"
    for i in range(6):
        layers += [conv(f"c{i}", below, 32, pad=[1]), layer(f"r{i}", "ReLU", f"c{i}", f"c{i}", negative_slope=slope)]
        below = f"c{i}"
    layers += [layer("sum", "Eltwise", ("c1", "c3", "c5")), layer("all", "Concat", ("sum", "c2", "c4"))]
    check(*layers)


@pytest.mark.parametrize("group", [1, 5])
@pytest.mark.parametrize(
    "options", [{}, {"coeff": [1, -2, 3]}, {"operation": "PROD"}], ids=["plain", "coefficients", "product"]
)
@pytest.mark.parametrize("many", [2, 3])
def test_in_training_relu_becomes_the_last_step_of_a_sum(many: int, options: dict[str, Any], group: int) -> None:
    """The sum is blocked after a convolution, and N×C×H×W after one whose groups split blocks of channels."""
    options = {name: each[:many] if isinstance(each, list) else each for name, each in options.items()}
    layers = [conv("a", "data", 20, 1), *(conv(each, "a", 20, pad=[1], group=group) for each in "bcd"[: many - 1])]
    layers += [
        layer("sum", "Eltwise", ("a", "b", "c")[:many], **options),
        layer("relu", "ReLU", "sum", "sum"),
        layer("twice", "Eltwise", ("sum", "sum", "a")),  # gradients of several readers are added
        conv("e", "twice", 4),
    ]
    check(*layers)
    together = does(plan_of(net_of(*layers), FEEDS, keep=True), "sum").layers
    assert together == (("sum",) if "operation" in options else ("sum", "relu"))


def test_relu_stays_if_its_input_has_other_readers() -> None:
    layers = (conv("a", "data", 20), layer("relu", "ReLU", "a"), layer("sum", "Eltwise", ("a", "relu")))
    plan = check(*layers)
    assert does(plan, "a").layers == ("a",)
    plan = assert_same_outputs(net_of(*layers[:2]), FEEDS, ["relu", "a"])
    assert does(plan, "a").layers == ("a",)


def test_a_relu_that_propagates_no_gradient() -> None:
    relu = LayerSpec("relu", "ReLU", ("a",), ("a",), propagate_down=(False,))
    layers = (conv("a", "data", 20), relu, conv("c", "a", 4))
    check(*layers)
    assert not gradients(net_of(*layers), FEEDS)["a[0]"].any()


@pytest.mark.parametrize("type_", ["Dropout", "Crop", "Convolution"])
def test_other_layers_that_propagate_no_gradient(type_: str) -> None:
    bottom = ("a", "small") if type_ == "Crop" else ("a",)
    options = {"num_output": 3, "kernel_size": [3]} if type_ == "Convolution" else {}
    down = (False,) * len(bottom)
    layers = (
        conv("a", "data", 20),
        conv("small", "data", 20, 5),
        LayerSpec("stop", type_, bottom, ("b",), options, propagate_down=down),
        conv("c", "b", 4),
    )
    check(*layers)
    assert not gradients(net_of(*layers), FEEDS)["a[0]"].any()
