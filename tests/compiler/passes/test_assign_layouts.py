"""Values are converted between layouts only where they must be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fcnlite.compiler.operations.conversion import FromBlocked, ToBlocked
from tests.compiler.passes.small_nets import FEEDS, POOLED, check, net_of
from tests.compiler.path_comparison import assert_near, assert_same_outputs, conv, does, in_place, layer, pool


def count(plan: Any, kind: type) -> int:
    return sum(isinstance(each, kind) for each in plan.graph.operations)


def test_a_chain_stays_blocked() -> None:
    layers = (
        conv("a", "data", 32),
        in_place("ReLU", "a"),
        conv("b", "a", 32),
        pool("c", "b"),
        conv("d", "c", 32),
        pool("e", "d", 2, 1),
        conv("f", "e", 32, 2),
    )
    plan = check(*layers)
    assert (count(plan, ToBlocked), count(plan, FromBlocked)) == (0, 1)


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("last", [False, True])
def test_memory_of_a_view_stays(overwrite: bool, last: bool) -> None:
    """The memory is free only after the last read of the view, which may be overwritten too."""
    layers = [
        conv("a", "data", 6, group=3, pad=[1]),  # made N×C×H×W, in the arena
        layer("view", "Reshape", "a", shape={"dim": [0, -1, 1, 0]}),
        layer("again", "Reshape", "view", shape={"dim": [0, 6, -1, 18]}),
        *([in_place("ReLU", "again")] if overwrite else []),
        conv("b", "data", 6, group=3, pad=[1]),
        layer("c", "TanH", "b"),
        conv("d", "c", 6, group=3, pad=[1]),
        conv("e", "d", 6, group=3, pad=[1]),
    ]
    check(*layers, *([] if last else [layer("both", "Eltwise", ("again", "e"))]))


def test_a_value_is_converted_once_for_all_its_readers() -> None:
    layers = (
        conv("a", "data", 32),
        layer("one", "TanH", "a"),
        layer("two", "Sigmoid", "a"),
        layer("three", "AbsVal", "a"),
        conv("b", "a", 32),
        layer("out", "Concat", ("one", "two", "three")),
        conv("c", "out", 32),
        conv("d", "out", 32),
    )
    plan = check(*layers)
    assert count(plan, ToBlocked) == 1


@pytest.mark.parametrize("channels", [32, 20, 3])
def test_blocked_values_are_concatenated_blocked(channels: int) -> None:
    layers = (
        conv("a", "data", channels),
        conv("b", "data", 16),
        layer("both", "Concat", ("a", "b")),
        conv("c", "both", 32),
    )
    plan = check(*layers)
    before = plan.graph.operations[: plan.graph.operations.index(does(plan, "both"))]
    assert sum(isinstance(each, FromBlocked) for each in before) == 0


@pytest.mark.parametrize(("reader", "conversions"), [("Convolution", (1, 1)), ("TanH", (0, 1))])
def test_operations_that_read_either_layout_use_their_readers(reader: str, conversions: tuple[int, int]) -> None:
    """The numbers of conversions to and from the blocked layout, for a blocked and an NCHW value."""
    options = {"num_output": 32, "kernel_size": [3]} if reader == "Convolution" else {}
    layers = (
        conv("a", "data", 20, pad=[1]),
        layer("plain", "TanH", "data"),
        layer("both", "Concat", ("a", "plain")),
        layer("out", reader, "both", **options),
    )
    plan = check(*layers)
    assert (count(plan, ToBlocked), count(plan, FromBlocked)) == conversions


@pytest.mark.parametrize(("reader", "before"), [("Convolution", False), ("TanH", True)])
def test_features_are_upsampled_in_their_layout(reader: str, before: bool) -> None:
    options = {"num_output": 32, "kernel_size": [3]} if reader == "Convolution" else {}
    up = {"num_output": 20, "kernel_size": [4], "stride": [2], "pad": [1], "bias_term": False, "group": 20}
    layers = (
        conv("a", "data", 20, stride=[2], pad=[1]),
        layer("up", "Deconvolution", "a", weight_filler={"type": "bilinear"}, **up),
        layer("skip", "Crop", ("up", "data"), axis=2, offset=[0, 0]),
        layer("out", reader, "skip", **options),
    )
    plan = check(*layers)
    first = plan.graph.operations.index(does(plan, "up"))
    assert any(isinstance(each, FromBlocked) for each in plan.graph.operations[:first]) == before


@pytest.mark.parametrize("axis", [0, 2, 3, -3])
def test_blocked_values_concatenated_along_other_axes(axis: int) -> None:
    layers = (conv("a", "data", 32), conv("b", "data", 32), layer("both", "Concat", ("a", "b"), axis=axis))
    check(*layers, conv("c", "both", 5))


@pytest.mark.parametrize("coeff", [(0.5, -2.0), (1.0, 0.0)])
@pytest.mark.parametrize("blocked", [False, True])
def test_weighted_sums(coeff: tuple[float, ...], blocked: bool) -> None:
    """Including a sum of a blob with itself."""
    skip = conv("b", "data", 20, pad=[1]) if blocked else layer("b", "TanH", "data")
    layers = (
        conv("a", "data", 20 if blocked else 3, pad=[1]),
        skip,
        layer("both", "Eltwise", ("a", "b"), coeff=coeff),
        layer("twice", "Eltwise", ("both", "both"), coeff=coeff),
        conv("c", "twice", 32),
    )
    check(*layers)


@pytest.mark.parametrize("operation", ["SUM", "PROD", "MAX"])
def test_sums_of_blocked_values(operation: str) -> None:
    layers = (
        conv("a", "data", 32),
        conv("b", "data", 32),
        layer("both", "Eltwise", ("a", "b"), operation=operation),
        conv("c", "both", 32),
        conv("d", "both", 32),
    )
    plan = check(*layers)
    assert count(plan, FromBlocked) == 2  # the outputs


def test_blocked_values_that_are_requested() -> None:
    plan = assert_same_outputs(net_of(*POOLED), FEEDS, ["c", "b", "a", "data"])
    assert all(not value.blocked for value in plan.graph.outputs.values())


def test_an_unread_input_and_a_returned_one() -> None:
    net = net_of(conv("a", "data", 5))
    found = net.forward(FEEDS, outputs=["data"])["data"]
    assert_near(found, FEEDS["data"])
    assert not np.shares_memory(found, FEEDS["data"])
