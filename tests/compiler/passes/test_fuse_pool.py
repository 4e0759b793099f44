"""2×2 max pooling becomes the last step of a convolution; the others stay."""

from __future__ import annotations

from typing import Any

import pytest

from fcnlite.description.spec import LayerSpec
from tests.compiler.passes.small_nets import POOLED
from tests.compiler.path_comparison import assert_same_outputs, conv, does, filled, layer, normal, plan_of, spec_of


def pooled(*layers: LayerSpec, channels: int = 48, keep: bool = False, outputs: list[str] | None = None) -> Any:
    """Check that the paths agree on a picture of so many channels. Returns the plan."""
    feeds = {"data": normal(1, 1, channels, 30, 33)}
    net = filled(spec_of(feeds["data"].shape, *layers))
    return plan_of(net, feeds, keep=True) if keep else assert_same_outputs(net, feeds, outputs)


@pytest.mark.parametrize("layers", [POOLED, (POOLED[0], *POOLED[2:])])
def test_two_by_two_pooling_becomes_the_convolutions_last_step(layers: tuple[LayerSpec, ...]) -> None:
    plan = pooled(*layers)
    assert does(plan, "a") is does(plan, "b")
    assert plan.notes["fuse_pool"][0].startswith("b into a")


def test_pooling_stays_where_another_algorithm_is_predicted_to_be_faster() -> None:
    """For few channels the direct algorithm is faster."""
    plan = pooled(*POOLED, channels=3)
    assert does(plan, "b").layers == ("b",)
    assert plan.notes["fuse_pool"][0].startswith("not b into a")


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3},
        {"kernel_size": 2, "stride": 1},
        {"kernel_size": 2, "pad": 1},
        {"kernel_size": 2, "round_mode": "FLOOR"},
        {"kernel_size": 2, "pool": "AVE"},
    ],
)
def test_other_poolings_stay(options: dict[str, Any]) -> None:
    plan = pooled(*POOLED[:2], layer("b", "Pooling", "a", **{"stride": 2, **options}), POOLED[3])
    assert does(plan, "b").layers == ("b",)


@pytest.mark.parametrize("kernel", [1, 4, 6, 8])
def test_pooling_stays_if_no_algorithm_supports_it(kernel: int) -> None:
    plan = pooled(conv("a", "data", 20, kernel, pad=[kernel // 2]), *POOLED[1:])
    assert does(plan, "b").layers == ("b",)
    assert not plan.notes["fuse_pool"]


def test_pooling_stays_if_its_input_has_other_readers_and_in_training() -> None:
    assert does(pooled(*POOLED, outputs=["c", "a"]), "b").layers == ("b",)
    assert does(pooled(*POOLED, keep=True), "b").layers == ("b",)
