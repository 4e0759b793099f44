"""Small nets on one input, for the tests of the passes."""

from __future__ import annotations

from typing import Any

from fcnlite.description.spec import LayerSpec
from tests.compiler.path_comparison import (
    assert_same_gradients,
    assert_same_outputs,
    conv,
    filled,
    in_place,
    normal,
    pool,
    spec_of,
)

FEEDS = {"data": normal(0, 2, 3, 13, 18)}


def net_of(*layers: LayerSpec, phase: str = "TEST") -> Any:
    return filled(spec_of(FEEDS["data"].shape, *layers), phase=phase)


def check(*layers: LayerSpec, outputs: list[str] | None = None) -> Any:
    """Check that the paths agree, forward and backward. Returns the plan for inference."""
    assert_same_gradients(net_of(*layers), FEEDS)
    return assert_same_outputs(net_of(*layers), FEEDS, outputs)


POOLED = (conv("a", "data", 20, pad=[1]), in_place("ReLU", "a"), pool("b", "a"), conv("c", "b", 4))
