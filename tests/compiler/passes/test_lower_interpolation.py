"""Bilinear deconvolutions become interpolations, with the Crop and the sum that follow; the others stay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcnlite.arrays import Array
from fcnlite.compiler.operations.interpolation import Interpolation
from fcnlite.description.fillers import bilinear_kernel
from fcnlite.description.spec import LayerSpec, ParamSpec
from fcnlite.net import Net
from tests.compiler.path_comparison import (
    assert_near,
    assert_same_gradients,
    assert_same_outputs,
    conv,
    does,
    filled,
    layer,
    normal,
    plan_of,
    reference_net,
    spec_of,
    worked,
)


def up(name: str, bottom: str, channels: int, kernel: int = 4, stride: int = 2, **options: Any) -> LayerSpec:
    """A bilinear deconvolution."""
    options = {"weight_filler": {"type": "bilinear"}, "bias_term": False, "group": channels, **options}
    return layer(name, "Deconvolution", bottom, num_output=channels, kernel_size=[kernel], stride=[stride], **options)


def head(channels: int = 5, **options: Any) -> tuple[LayerSpec, ...]:
    """Upsampled scores, aligned with a skip and added to it."""
    return (
        layer("pool", "Pooling", "data", kernel_size=2, stride=2),
        conv("score", "pool", channels, 1),
        up("up", "score", channels, **options),
        conv("skip", "data", channels, 1),
        layer("cropped", "Crop", ("up", "skip"), axis=2, offset=[1, 0]),
        layer("fused", "Eltwise", ("cropped", "skip")),
    )


@settings(max_examples=60)
@given(
    channels=st.integers(1, 22),
    kernel=st.integers(1, 16),
    stride=st.integers(1, 8),
    pad=st.integers(0, 3),
    size=st.tuples(st.integers(1, 3), st.integers(1, 12), st.integers(1, 12)),
)
def test_a_bilinear_deconvolution_is_an_interpolation(
    channels: int, kernel: int, stride: int, pad: int, size: tuple[int, int, int]
) -> None:
    n, height, width = size
    if min(stride * (side - 1) + kernel - 2 * pad for side in (height, width)) < 1:
        pad = 0
    feeds = {"data": normal(0, n, channels, height, width)}
    net = filled(spec_of(feeds["data"].shape, up("up", "data", channels, kernel, stride, pad=[pad])))
    plan = assert_same_outputs(net, feeds)
    assert isinstance(does(plan, "up"), Interpolation) == (stride <= kernel)  # otherwise some outputs have no input
    assert_same_gradients(net, feeds)


@pytest.mark.parametrize("full", [False, True])
def test_crop_and_sum_are_included(full: bool) -> None:
    feeds = {"data": normal(0, 2, 3, 17, 22)}
    net = filled(spec_of(feeds["data"].shape, *head(group=1 if full else 5)))
    if full:
        weight = np.zeros((5, 5, 4, 4))
        weight[range(5), range(5)] = bilinear_kernel(4)
        net.params["up"][0].data = weight
    plan = assert_same_outputs(net, feeds)
    assert does(plan, "up").layers == ("up", "cropped", "fused")
    assert_same_gradients(net, feeds)


@pytest.mark.parametrize("axis", [3, -1])
def test_a_crop_of_the_columns_alone_is_included(axis: int) -> None:
    feeds = {"data": normal(0, 2, 3, 16, 22)}
    layers = (
        layer("pool", "Pooling", "data", kernel_size=2, stride=2),
        conv("score", "pool", 5, 1),
        up("up", "score", 5, pad=[1]),
        layer("skip", "Convolution", "data", num_output=5, kernel_h=1, kernel_w=3),
        layer("cropped", "Crop", ("up", "skip"), axis=axis, offset=[1]),
        layer("fused", "Eltwise", ("cropped", "skip")),
    )
    net = filled(spec_of(feeds["data"].shape, *layers))
    assert does(assert_same_outputs(net, feeds), "up").layers == ("up", "cropped", "fused")
    assert_same_gradients(net, feeds)


def test_a_cropped_skip_is_included() -> None:
    """As in the FCN-16s and FCN-8s, whose skips are larger than the upsampled scores."""
    feeds = {"data": normal(0, 1, 3, 20, 24)}
    layers = (
        layer("pool", "Pooling", "data", kernel_size=4, stride=4),
        conv("score", "pool", 5, 1),
        up("up", "score", 5),
        conv("skip", "data", 5, 1),
        layer("cropped", "Crop", ("skip", "up"), axis=2, offset=[3, 4]),
        layer("fused", "Eltwise", ("up", "cropped")),
    )
    plan = assert_same_outputs(filled(spec_of(feeds["data"].shape, *layers)), feeds)
    assert does(plan, "up") is does(plan, "cropped") is does(plan, "fused")


def test_a_cropped_skip_that_others_read_stays() -> None:
    feeds = {"data": normal(0, 1, 3, 20, 24)}
    layers = (
        layer("pool", "Pooling", "data", kernel_size=4, stride=4),
        conv("score", "pool", 5, 1),
        up("up", "score", 5),
        conv("skip", "data", 5, 1),
        layer("cropped", "Crop", ("skip", "up"), axis=2, offset=[3, 4]),
        layer("fused", "Eltwise", ("up", "cropped")),
        conv("again", "cropped", 4),
    )
    net = filled(spec_of(feeds["data"].shape, *layers))
    assert does(assert_same_outputs(net, feeds), "up").layers == ("up", "fused")
    assert does(assert_same_outputs(net, feeds, ["fused", "cropped"]), "up").layers == ("up", "fused")


@pytest.mark.parametrize(
    "changed",
    [
        {"operation": "MAX"},
        {"operation": "PROD"},
        {"coeff": [1.0, -2.0]},
    ],
)
def test_other_sums_stay(changed: dict[str, Any]) -> None:
    feeds = {"data": normal(0, 1, 3, 16, 16)}
    layers = (*head()[:-1], layer("fused", "Eltwise", ("cropped", "skip"), **changed))
    plan = assert_same_outputs(filled(spec_of(feeds["data"].shape, *layers)), feeds)
    assert does(plan, "up").layers == ("up", "cropped")


def test_values_with_other_readers_stay() -> None:
    feeds = {"data": normal(0, 1, 3, 16, 16)}
    net = filled(spec_of(feeds["data"].shape, *head(), layer("again", "Eltwise", ("up", "up"))))
    plan = assert_same_outputs(net, feeds)
    assert does(plan, "up").layers == ("up",)
    net = filled(spec_of(feeds["data"].shape, *head()))
    plan = assert_same_outputs(net, feeds, ["fused", "cropped", "up"])
    assert does(plan, "up").layers == ("up",) and worked(plan) >= {"cropped", "fused"}


def test_a_sum_with_itself() -> None:
    feeds = {"data": normal(0, 1, 3, 6, 7)}
    layers = (up("up", "data", 3), layer("twice", "Eltwise", ("up", "up")))
    assert_same_outputs(filled(spec_of(feeds["data"].shape, *layers)), feeds)


def test_a_crop_of_channels_is_not_included() -> None:
    feeds = {"data": normal(0, 1, 5, 6, 7)}
    layers = (
        up("up", "data", 5),
        conv("few", "data", 3, 1),
        layer("cropped", "Crop", ("up", "few"), axis=1, offset=[1, 2, 3]),
        conv("end", "cropped", 2, 1),
    )
    plan = assert_same_outputs(filled(spec_of(feeds["data"].shape, *layers)), feeds)
    assert does(plan, "up").layers == ("up",)


def one_channel_differs(weight: Array) -> None:
    weight[1] *= 1.001


def not_a_product(weight: Array) -> None:
    weight[:, :, 0, 0] += 0.1


def off_diagonal(weight: Array) -> None:
    if weight.shape[1] > 1:
        weight[0, 1, 1, 1] = 0.3
    else:
        weight[2] = 0


def all_zero(weight: Array) -> None:
    weight[...] = 0


def scaled(weight: Array) -> None:
    weight *= -2.5


CHANGES = [one_channel_differs, not_a_product, off_diagonal, all_zero, scaled]


@pytest.mark.parametrize("group", [1, 5])
@pytest.mark.parametrize("change", CHANGES)
def test_weights_that_are_no_longer_bilinear(change: Any, group: int) -> None:
    """The values are checked whenever they have changed, also after compilation."""
    feeds = {"data": normal(0, 2, 3, 12, 14)}
    net = filled(spec_of(feeds["data"].shape, *head(group=group)))
    bilinear = np.zeros(net.params["up"][0].shape, np.float32)
    for i in range(5):
        bilinear[i, i if group == 1 else 0] = bilinear_kernel(4)
    net.params["up"][0].data = bilinear
    first = net.forward(feeds)["fused"]
    change(net.params["up"][0].data)
    assert_same_outputs(net, feeds)
    assert_same_gradients(net, feeds)
    net.params["up"][0].data = bilinear
    np.testing.assert_array_equal(net.forward(feeds)["fused"], first)


def test_a_bias_of_zero_and_one_that_is_not() -> None:
    feeds = {"data": normal(0, 1, 3, 12, 14)}
    net = filled(spec_of(feeds["data"].shape, *head(bias_term=True)))
    for bias in (np.zeros(5), np.arange(5), np.zeros(5)):
        net.params["up"][1].data = bias
        plan = assert_same_outputs(net, feeds)
        assert isinstance(does(plan, "up"), Interpolation)
    net.params["up"][1].data = np.arange(5)
    assert_same_gradients(net, feeds)


@pytest.mark.parametrize("options", [{"dilation": [2]}, {"kernel_size": [4, 3]}, {"stride": [2, 3]}, {"pad": [1, 0]}])
def test_other_windows(options: dict[str, Any]) -> None:
    feeds = {"data": normal(0, 1, 3, 6, 5)}
    ones = {"type": "constant", "value": 1}
    options = {"kernel_size": [4], "stride": [2], "group": 3, "weight_filler": ones} | options
    spec = spec_of(feeds["data"].shape, layer("up", "Deconvolution", "data", num_output=3, bias_term=False, **options))
    assert_same_outputs(filled(spec), feeds)
    assert_same_gradients(filled(spec), feeds)


def learning(rate: float) -> tuple[LayerSpec, ...]:
    layers = head()
    deconvolution = layers[2]
    return (
        *layers[:2],
        LayerSpec(
            deconvolution.name,
            deconvolution.type,
            deconvolution.bottom,
            deconvolution.top,
            deconvolution.options,
            (ParamSpec(lr_mult=rate),),
        ),
        *layers[3:],
    )


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_in_training_learning_weights_are_left_to_the_layer(rate: float) -> None:
    feeds = {"data": normal(0, 2, 3, 12, 14)}
    net = filled(spec_of(feeds["data"].shape, *learning(rate)), phase="TRAIN")
    plan = plan_of(net, feeds, keep=True)
    assert isinstance(does(plan, "up"), Interpolation) == (rate == 0)
    assert does(plan, "up").layers == ("up",)
    assert_same_gradients(net, feeds)
    assert isinstance(does(plan_of(net, feeds), "up"), Interpolation)


def test_a_weight_that_begins_to_learn_after_compilation() -> None:
    feeds = {"data": normal(0, 1, 3, 12, 14)}
    net = filled(spec_of(feeds["data"].shape, *learning(0.0)), phase="TRAIN")
    gradients = []
    for each in (net, reference_net(net)):
        output = each.forward(feeds, keep=True)["fused"]
        net.params["up"][0].lr_mult = 1.0
        each.backward(fused=normal(1, *output.shape))
        gradients.append(net.params["up"][0].grad.copy())
        net.params["up"][0].lr_mult = 0.0
    assert gradients[1].any()
    assert_near(gradients[0], gradients[1], 1e-3)


def test_without_deconvolutions_nothing_changes() -> None:
    feeds = {"data": normal(0, 1, 3, 12, 14)}
    net: Net = filled(spec_of(feeds["data"].shape, conv("a", "data", 4)))
    assert not plan_of(net, feeds).notes["lower_interpolation"]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_stay_in_their_place(bad: float) -> None:
    for where in ((0, 0), (0, 4), (4, 4), (2, 2)):
        feeds = {"data": normal(0, 1, 1, 5, 5)}
        feeds["data"][(0, 0, *where)] = bad
        net = filled(spec_of((1, 1, 5, 5), up("up", "data", 1, 4, 2)))
        found, expected = (each.forward(feeds)["up"] for each in (net, reference_net(net)))
        np.testing.assert_array_equal(np.isfinite(found), np.isfinite(expected))
