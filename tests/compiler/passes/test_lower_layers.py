"""Layers for which there are kernels become fast operations."""

from __future__ import annotations

from typing import Any

import pytest

from fcnlite.compiler.operations.pooling import AveragePooling, MaxPooling
from tests.compiler.passes.small_nets import check
from tests.compiler.path_comparison import conv, does, layer, pool


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize(
    ("options", "algorithm"),
    [
        ({}, "Winograd F(4×4, 3×3)"),
        ({"pad": [7]}, "Winograd F(6×6, 3×3)"),
        ({"stride": [2]}, "direct"),
        ({"dilation": [2]}, "Winograd F(4×4, 3×3)"),
        ({"dilation": [2], "pad": [2]}, "Winograd F(4×4, 3×3)"),
        ({"dilation": [2, 1]}, "direct"),
        ({"bias_term": False}, "Winograd F(4×4, 3×3)"),
        ({"kernel_size": [3, 1]}, "Winograd F(6×1, 3×1)"),
        ({"group": 2}, "direct"),
        ({"group": 8}, "im2col"),
        ({"group": 64}, "depthwise"),
    ],
)
def test_convolutions_are_lowered(options: dict[str, Any], algorithm: str) -> None:
    spec = layer("b", "Convolution", "tanh", **{"num_output": 64, "kernel_size": [3], **options})
    plan = check(conv("a", "data", 64, 1), layer("tanh", "TanH", "a"), spec)
    operation = does(plan, "b")
    assert operation.algorithm.name(operation.problem) == algorithm


@pytest.mark.parametrize("pooling", ["MAX", "AVE"])
def test_pooling_is_lowered(pooling: str) -> None:
    plan = check(conv("a", "data", 20), pool("b", "a", 3, 2, pool=pooling, pad=1))
    assert type(does(plan, "b")) is {"MAX": MaxPooling, "AVE": AveragePooling}[pooling]
