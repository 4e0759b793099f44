"""BatchNorm after a convolution, with the Scale and ReLU that follow it, becomes one operation; the others stay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcnlite.compiler.operations.batch_normalization import BatchNormalization
from fcnlite.description.spec import LayerSpec, ParamSpec
from fcnlite.net import Net
from tests.compiler.path_comparison import (
    assert_all_near,
    assert_near,
    assert_same_gradients,
    conv,
    does,
    filled,
    in_place,
    layer,
    normal,
    plan_of,
    reference_net,
    spec_of,
)

Shape = tuple[int, int, int, int]
SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 35), st.integers(1, 7), st.integers(1, 40))
AFTER = {
    "alone": [],
    "scale": [layer("scale", "Scale", "a", "a")],
    "scale and bias": [layer("scale", "Scale", "a", "a", bias_term=True)],
    "relu": [in_place("ReLU", "a")],
    "all": [layer("scale", "Scale", "a", "a", bias_term=True), in_place("ReLU", "a")],
}


def net_of(shape: Shape, after: list[LayerSpec], phase: str = "TRAIN", **options: Any) -> Net:
    before = conv("a", "data", 20, pad=[1], bias_term=False)
    norm = layer("norm", "BatchNorm", "a", "a", **options)
    return filled(spec_of(shape, before, norm, *after, conv("b", "a", 3, 1)), phase=phase)


@pytest.mark.parametrize("after", AFTER)
@pytest.mark.parametrize("options", [{}, {"moving_average_fraction": 0.5, "eps": 0.1}, {"use_global_stats": True}])
def test_the_layers_are_one_operation_in_training(after: str, options: dict[str, Any]) -> None:
    net, feeds = net_of((2, 3, 13, 18), AFTER[after], **options), {"data": normal(1, 2, 3, 13, 18)}
    fast = does(plan_of(net, feeds, keep=True), "norm")
    assert isinstance(fast, BatchNormalization)
    assert fast.layers == ("norm", *(each.name for each in AFTER[after]))
    assert_same_gradients(net, feeds)


@settings(max_examples=40)
@given(shape=SHAPES.filter(lambda s: s[0] * s[2] * s[3] >= 30), after=st.sampled_from(sorted(AFTER)))
def test_any_shape(shape: Shape, after: str) -> None:
    """With fewer values in a channel, all may be near the mean by chance, which makes gradients huge."""
    net, feeds = net_of(shape, AFTER[after]), {"data": normal(1, *shape)}
    assert_same_gradients(net, feeds)


def test_running_sums_grow_as_on_the_reference_path() -> None:
    found = []
    for path in ("fast", "plain"):
        net = net_of((3, 3, 9, 11), AFTER["all"])
        net.path = path
        for i in range(3):
            net.forward(data=normal(i, 3, 3, 9, 11), keep=True)
        found.append({f"norm[{i}]": each.array for i, each in enumerate(net.params["norm"])})
    assert_all_near(*found, 1e-5)


def test_two_that_share_their_sums_change_them_in_the_nets_order() -> None:
    """Even if only one of them includes a Scale, which comes after the other."""
    shared = tuple(ParamSpec(name=name) for name in ("mean", "variance", "factor"))

    def norm(name: str, bottom: str) -> LayerSpec:
        return LayerSpec(name, "BatchNorm", (bottom,), (name,), {"moving_average_fraction": 0.5}, param=shared)

    layers = (
        conv("a", "data", 8),
        norm("n", "a"),
        conv("b", "data", 8),
        norm("m", "b"),
        layer("scale", "Scale", "n", "n"),
        layer("sum", "Eltwise", ("n", "m")),
    )
    feeds, found = {"data": normal(0, 2, 3, 9, 9)}, []
    for path in ("fast", "plain"):
        net = filled(spec_of(feeds["data"].shape, *layers), phase="TRAIN")
        net.path = path
        net.forward(feeds, keep=True)
        found.append({f"n[{i}]": each.array for i, each in enumerate(net.params["n"])})
    assert_all_near(*found, 1e-5)


def test_inference_after_training_sees_the_new_sums() -> None:
    """The sums change after weights were prepared with the old sums folded in."""
    train, feeds = net_of((2, 3, 9, 11), AFTER["all"]), {"data": normal(0, 2, 3, 9, 11)}
    test = Net(train.spec, shared=train.params)
    before = test.forward(feeds)["b"]
    train.forward(feeds, keep=True)
    after = test.forward(feeds)["b"]
    assert np.abs(after - before).max() > 1e-3
    assert_near(after, reference_net(test).forward(feeds)["b"])


def test_requested_blobs_between_prevent_fusion() -> None:
    before, norm = conv("a", "data", 20, bias_term=False), layer("norm", "BatchNorm", "a")
    spec = spec_of((1, 3, 9, 11), before, norm, layer("scale", "Scale", "norm"), in_place("ReLU", "scale"))
    net, feeds = filled(spec, phase="TRAIN"), {"data": normal(0, 1, 3, 9, 11)}
    assert does(plan_of(net, feeds, keep=True), "norm").layers == ("norm",)
    assert_same_gradients(net, feeds)


@pytest.mark.parametrize(
    "after",
    [
        layer("scale", "Scale", "a", "a", axis=0, num_axes=2),
        layer("scale", "Scale", "a", "a", num_axes=0),
        in_place("ReLU", "a", negative_slope=0.1),
        in_place("PReLU", "a"),
    ],
)
def test_other_layers_behind_stay(after: LayerSpec) -> None:
    net, feeds = net_of((1, 3, 9, 11), [after]), {"data": normal(0, 1, 3, 9, 11)}
    assert does(plan_of(net, feeds, keep=True), "norm").layers == ("norm",)
    assert_same_gradients(net, feeds)


def test_frozen_factors_get_no_gradient() -> None:
    net, feeds = net_of((2, 3, 9, 11), AFTER["all"]), {"data": normal(0, 2, 3, 9, 11)}
    net.params["scale"][0].lr_mult = 0
    net.forward(feeds, keep=True)
    net.backward(b=normal(1, 2, 3, 9, 11))
    assert not net.params["scale"][0].grad.any() and net.params["scale"][1].grad.any()
