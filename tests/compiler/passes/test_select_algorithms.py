"""Each convolution gets the algorithm that the cost model predicts to be fastest."""

from __future__ import annotations

from typing import Any

import pytest

from fcnlite.compiler.convolution.algorithms import candidates
from fcnlite.compiler.convolution.operation import ConvolutionOperation
from fcnlite.compiler.operations.conversion import ToBlocked
from tests.compiler.path_comparison import assert_same_outputs, conv, does, filled, gradients, layer, normal, spec_of


@pytest.mark.parametrize(
    ("options", "algorithm"),
    [
        ({"kernel_size": [1]}, "matrix product"),
        ({"kernel_size": [1], "stride": [2]}, "direct"),
        ({"kernel_size": [3], "pad": [1]}, "Winograd F(6×6, 3×3)"),
        ({"kernel_size": [3], "stride": [2]}, "direct"),
        ({"kernel_size": [3], "dilation": [2]}, "Winograd F(6×6, 3×3)"),
        ({"kernel_size": [3], "dilation": [2, 1]}, "direct"),
        ({"kernel_size": [7], "dilation": [4], "pad": [12]}, "Winograd F(2×2, 7×7)"),
        ({"kernel_size": [5]}, "Winograd F(4×4, 5×5)"),
        ({"kernel_size": [7], "pad": [3]}, "Winograd F(2×2, 7×7)"),
        ({"kernel_size": [9]}, "direct"),
        ({"kernel_size": [3], "group": 8}, "im2col"),
    ],
)
def test_the_algorithm_follows_from_the_cost_model(options: dict[str, Any], algorithm: str) -> None:
    feeds = {"data": normal(0, 1, 64, 48, 48)}
    spec = spec_of(feeds["data"].shape, layer("a", "Convolution", "data", num_output=64, **options))
    plan = assert_same_outputs(filled(spec), feeds)
    operation = does(plan, "a")
    assert isinstance(operation, ConvolutionOperation) and operation.algorithm.name(operation.problem) == algorithm
    p, threads = operation.problem, plan.machine.threads
    costs = {each.name(p): each.cost(p).seconds(threads) for each in candidates(p)}
    assert costs[algorithm] == min(costs.values())
    assert all(name in plan.notes["select_algorithms"][0] for name in costs)


@pytest.mark.parametrize("channels", [3, 4, 16])
def test_few_channels_are_read_in_the_callers_layout(channels: int) -> None:
    feeds = {"data": normal(0, 1, channels, 20, 20)}
    plan = assert_same_outputs(filled(spec_of(feeds["data"].shape, conv("a", "data", 32))), feeds)
    assert any(isinstance(each, ToBlocked) for each in plan.graph.operations) == (channels > 4)


@pytest.mark.parametrize(
    ("options", "transposed"),
    [({"kernel_size": [3], "num_output": 16}, True), ({"kernel_size": [7], "num_output": 256}, False)],
)
def test_filters_are_transposed_for_backward_data_if_that_is_faster(options: dict[str, Any], transposed: bool) -> None:
    """They are not for weights such as fc6's, which are large compared with the picture."""
    feeds = {"data": normal(0, 1, 64, 22, 22)}
    layers = layer("a", "Convolution", "data", **options), conv("b", "a", 8)
    net = filled(spec_of(feeds["data"].shape, *layers), phase="TRAIN")
    gradients(net, feeds)
    assert any(layers == ("a",) and how == "backward data" for layers, _, how in net.executor.derived) == transposed
