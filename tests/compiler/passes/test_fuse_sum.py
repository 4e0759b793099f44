"""Sums at the end of convolutions, and affine maps that no convolution takes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcnlite.compiler.convolution.operation import ConvolutionOperation
from fcnlite.compiler.operations.affine import Affine
from fcnlite.description.spec import LayerSpec
from tests.compiler.passes.small_nets import check, net_of
from tests.compiler.path_comparison import assert_same_outputs, conv, does, filled, in_place, layer, normal, spec_of

RECTIFIERS = ["ReLU", "PReLU", "ReLU6", "leaky", "none"]


def rectified(kind: str, blob: str) -> list[LayerSpec]:
    if kind == "none":
        return []
    return [in_place("ReLU", blob, negative_slope=0.2) if kind == "leaky" else in_place(kind, blob)]


@pytest.mark.parametrize("kind", RECTIFIERS)
@pytest.mark.parametrize("swapped", [False, True])
def test_the_later_convolution_takes_the_sum(kind: str, swapped: bool) -> None:
    bottoms = ("b", "c") if swapped else ("c", "b")
    layers = conv("a", "data", 20), conv("b", "a", 18, 1), conv("c", "a", 18, 1)
    plan = check(*layers, layer("sum", "Eltwise", bottoms), *rectified(kind, "sum"), conv("d", "sum", 4, 1))
    operation = does(plan, "sum")
    assert isinstance(operation, ConvolutionOperation) and operation.layers[0] == "c"
    assert ("sum" in operation.describe()) and len(operation.inputs) == 2


def test_depthwise_convolutions_take_sums() -> None:
    layers = conv("a", "data", 20, 1), conv("b", "a", 20, pad=[1], group=20), layer("sum", "Eltwise", ("a", "b"))
    assert does(check(*layers), "sum").layers[0] == "b"


@pytest.mark.parametrize(
    "layers",
    [
        (conv("b", "a", 20, 1), layer("sum", "Eltwise", ("a", "b"), coeff=[1, -1])),
        (conv("b", "a", 20, 1), layer("sum", "Eltwise", ("a", "b"), operation="PROD")),
        (conv("b", "a", 20, 1), in_place("ReLU", "b"), layer("sum", "Eltwise", ("a", "b"))),
        (conv("b", "a", 20, 1), layer("sum", "Eltwise", ("a", "b")), conv("c", "b", 4)),
        (conv("b", "a", 20, 1), layer("sum", "Eltwise", ("b", "b"))),
        (conv("b", "a", 20, 1), layer("sum", "Eltwise", ("a", "b", "a"))),
    ],
)
def test_other_sums_are_left(layers: tuple[LayerSpec, ...]) -> None:
    plan = check(conv("a", "data", 20, 1), *layers)
    assert does(plan, "sum").layers[0] == "sum"


def test_an_output_between_is_kept() -> None:
    layers = conv("a", "data", 20, 1), conv("b", "a", 20, 1), layer("sum", "Eltwise", ("a", "b"))
    plan = assert_same_outputs(net_of(*layers), {"data": normal(0, 2, 3, 13, 18)}, ["b", "sum"])
    assert type(does(plan, "sum")) is Affine


@pytest.mark.parametrize("kind", RECTIFIERS)
def test_winograds_convolution_takes_the_sum(kind: str) -> None:
    layers = conv("a", "data", 64, pad=[1]), conv("b", "a", 64, pad=[1]), layer("sum", "Eltwise", ("a", "b"))
    spec = spec_of((1, 3, 40, 40), *layers, *rectified(kind, "sum"))
    operation = does(assert_same_outputs(filled(spec), {"data": normal(0, 1, 3, 40, 40)}), "sum")
    assert operation.layers[0] == "b" and "Winograd" in operation.describe() and "sum" in operation.describe()


def test_a_convolution_that_leaves_out_its_border_leaves_the_sum_to_an_affine_map() -> None:
    layers = conv("a", "data", 64, pad=[30]), conv("b", "a", 64, pad=[1]), layer("sum", "Eltwise", ("a", "b"))
    spec = spec_of((1, 3, 40, 40), *layers, in_place("ReLU", "sum"))
    plan = assert_same_outputs(filled(spec), {"data": normal(0, 1, 3, 40, 40)})
    operation = does(plan, "b")
    assert isinstance(operation, ConvolutionOperation) and operation.leaves_margins
    assert does(plan, "sum").layers == ("sum", "relu_sum")


@st.composite
def chains(draw: Any) -> list[LayerSpec]:
    """Layers that remain after a concatenation or in N×C×H×W, of which several are one map."""
    kinds = draw(st.lists(st.sampled_from(["BatchNorm", "Scale", "Bias"]), max_size=3))
    options = {"BatchNorm": {"use_global_stats": True}, "Scale": {"bias_term": True}, "Bias": {}}
    layers, blob = [], "concat"
    for i, kind in enumerate(kinds):
        layers.append(layer(f"map{i}", kind, blob, **options[kind]))
        blob = f"map{i}"
    return [*layers, *rectified(draw(st.sampled_from(RECTIFIERS)), blob)]


@settings(max_examples=30)
@given(layers=chains(), blocked=st.booleans(), channels=st.integers(1, 20))
def test_affine_maps_and_rectifiers_are_one_operation(layers: list[LayerSpec], blocked: bool, channels: int) -> None:
    maker = conv("a", "data", channels) if blocked else layer("a", "TanH", "data")
    concat = layer("concat", "Concat", ("a", "a"))
    plan = assert_same_outputs(net_of(maker, concat, *layers), {"data": normal(0, 2, 3, 13, 18)})
    names = [each.name for each in layers]
    if names and not (len(names) == 1 and layers[0].type == "ReLU" and not layers[0].options):
        operation = does(plan, names[0])
        assert type(operation) is Affine and operation.layers == tuple(names)
