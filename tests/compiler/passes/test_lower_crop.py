"""Crop and Slice become slices at fixed places."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fcnlite.compiler.operations.static_slice import StaticSlice
from fcnlite.description.spec import LayerSpec
from tests.compiler.passes.small_nets import FEEDS, check, net_of
from tests.compiler.path_comparison import (
    assert_same_gradients,
    assert_same_outputs,
    conv,
    does,
    in_place,
    layer,
    plan_of,
    pool,
    worked,
)


def test_crop_becomes_a_slice_without_reference() -> None:
    layers = (
        conv("a", "data", 5),
        conv("b", "data", 7, 5),
        layer("crop", "Crop", ("a", "b"), axis=2, offset=[1, 2]),
        conv("c", "crop", 3),
    )
    plan = check(*layers)
    assert isinstance(does(plan, "crop"), StaticSlice)
    plan = assert_same_outputs(net_of(*layers), FEEDS, ["c"])
    assert "b" not in worked(plan)  # only its shape was needed


@pytest.mark.parametrize("options", [{"axis": 1, "offset": [2, 0, 1]}, {"axis": 3, "offset": [2]}, {}])
def test_crops_of_other_axes(options: dict[str, Any]) -> None:
    layers = (
        conv("a", "data", 20, pad=[1, 1] if options.get("axis") == 3 else [0]),
        conv("b", "data", 20 if options.get("axis") != 1 else 5, kernel_size=3 if options.get("axis") == 3 else 5,
             pad=[1, 0] if options.get("axis") == 3 else [0]),
        layer("crop", "Crop", ("a", "b"), **options),
        conv("c", "crop", 3),
    )  # fmt: skip
    check(*layers)


def test_a_crop_of_the_whole_copies_nothing() -> None:
    layers = (conv("a", "data", 5), layer("crop", "Crop", ("a", "a"), axis=2), in_place("ReLU", "crop"), pool("b", "a"))
    check(*layers)
    net = net_of(layers[0], layers[1])
    crop = does(plan_of(net, FEEDS, keep=True), "crop")
    assert isinstance(crop, StaticSlice) and crop.aliases
    assert_same_gradients(net, FEEDS, ["data", "a", "crop"])
    first = net.forward(FEEDS)["crop"]
    copy = first.copy()
    net.forward(data=-FEEDS["data"])
    assert np.array_equal(first, copy)  # owned by the caller


@pytest.mark.parametrize("bottom", ["data", "a"])
def test_a_slice_of_one_part_is_a_copy(bottom: str) -> None:
    """A layer in place may overwrite it."""
    net = net_of(
        conv("a", "data", 5),
        layer("s", "Slice", bottom, "t", axis=1),
        in_place("ReLU", "t"),
        layer("u", "TanH", bottom),
    )
    feeds = {name: array.copy() for name, array in FEEDS.items()}
    assert_same_outputs(net, feeds)
    np.testing.assert_array_equal(feeds["data"], FEEDS["data"])


def test_slices_become_static_slices() -> None:
    parts = LayerSpec("s", "Slice", ("a",), ("b", "c", "d"), {"axis": 1, "slice_point": [2, 7]})
    plan = check(conv("a", "data", 20), parts, in_place("ReLU", "b"), conv("e", "c", 4))
    assert plan.notes["lower_crop"] == ["s"]
