"""A thin first convolution is fused into the next."""

from __future__ import annotations

from typing import Any

import pytest

from tests.compiler.passes.small_nets import FEEDS, check, net_of
from tests.compiler.path_comparison import (
    assert_same_outputs,
    conv,
    does,
    filled,
    in_place,
    layer,
    normal,
    pool,
    spec_of,
)


def test_a_thin_first_convolution_is_fused_with_the_next() -> None:
    layers = (
        conv("a", "data", 20, pad=[1]),
        in_place("ReLU", "a"),
        conv("b", "a", 33, pad=[1]),
        in_place("ReLU", "b"),
        pool("c", "b"),
        conv("d", "c", 16, 1),
    )
    plan = check(*layers)
    assert does(plan, "a").layers == ("a", "relu_a", "b", "relu_b", "c")
    assert does(assert_same_outputs(net_of(*layers), FEEDS, ["d", "a"]), "a").layers == ("a", "relu_a")


@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("options", [{}, {"pad": [100]}, {"stride": [2]}, {"kernel_size": [5, 2], "pad": [3]}])
@pytest.mark.parametrize("size", [(1, 1, 5, 5), (3, 4, 6, 90), (1, 3, 61, 47)])
def test_fused_convolutions_of_any_kind(kernel: int, options: dict[str, Any], size: tuple[int, ...]) -> None:
    feeds = {"data": normal(1, *size)}
    first = layer("a", "Convolution", "data", **{"num_output": 20, "kernel_size": [3], "pad": [1], **options})
    layers = (first, in_place("ReLU", "a"), conv("b", "a", 40, kernel, pad=[kernel // 2]), in_place("ReLU", "b"))
    assert_same_outputs(filled(spec_of(size, *layers)), feeds)
    assert_same_outputs(filled(spec_of(size, first, *layers[2:3], pool("c", "b"))), feeds)


@pytest.mark.parametrize("rectifier", ["PReLU", "TanH"])
def test_other_layers_between_or_after_prevent_fusion(rectifier: str) -> None:
    layers = (conv("a", "data", 20, pad=[1]), in_place(rectifier, "a"), conv("b", "a", 40, pad=[1]))
    plan = check(*layers)
    assert "b" not in does(plan, "a").layers
    plan = check(conv("a", "data", 20), conv("b", "a", 40), in_place("PReLU", "b"))
    assert "b" not in does(plan, "a").layers
