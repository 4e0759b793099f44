"""Batch normalisation of blocked arrays: the kernels against NumPy on every instruction set, and the layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcnlite.arrays import Array
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
from tests.compiler.problems import ISAS, blocked, guarded, machine_with, unblocked

EACH_ISA = pytest.mark.parametrize("instructions", ISAS)
Shape = tuple[int, int, int, int]
SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 35), st.integers(1, 7), st.integers(1, 40))


def per_channel(values: Array) -> Array:
    return np.asarray(values.reshape(1, -1, 1, 1))


def laid(values: Array) -> Array:
    """One value a channel as the kernels take them."""
    return blocked(per_channel(values).astype(np.float32)).reshape(-1, 16)


def of_channels(values: Array, channels: int) -> Array:
    """The reverse, of sums by rows: over the rows, in float64."""
    return np.asarray(values.sum(axis=1, dtype=np.float64).reshape(-1)[:channels])


@EACH_ISA
@settings(max_examples=60)
@given(shape=SHAPES, mean=st.sampled_from([0.0, 3.0, 1e4]), threads=st.sampled_from([1, 3]))
def test_the_moments_of_rows(instructions: str, shape: Shape, mean: float, threads: int) -> None:
    """A mean far from 0 costs the squares no digits."""
    kernels, (n, channels, height, width) = machine_with(instructions).kernels, shape
    x = normal(0, *shape) + np.float32(mean)
    with guarded(-(-channels // 16), n * height, 2, 16) as moments:
        kernels.row_moments(blocked(x), moments, threads)
    rows = x.astype(np.float64).transpose(1, 0, 2, 3).reshape(channels, n * height, width)
    found = moments.transpose(0, 3, 1, 2).reshape(-1, n * height, 2)[:channels]
    np.testing.assert_allclose(found[..., 0], rows.mean(axis=2), rtol=1e-6, atol=1e-6)
    of_means = width * (found[..., 0] - rows.mean(axis=2)) ** 2
    squares = np.square(rows - rows.mean(axis=2, keepdims=True)).sum(axis=2)
    np.testing.assert_allclose(found[..., 1], squares + of_means, rtol=1e-5, atol=1e-5)


@EACH_ISA
@settings(max_examples=60)
@given(shape=SHAPES, relu=st.booleans(), threads=st.sampled_from([1, 3]))
def test_the_kernels(instructions: str, shape: Shape, relu: bool, threads: int) -> None:
    kernels, (n, channels, height, _) = machine_with(instructions).kernels, shape
    x, dy = normal(0, *shape), normal(1, *shape)
    mean, factor, shift, mean_dy, slope = normal(2, 5, channels)
    affine = laid(mean), laid(factor), laid(shift)
    expected = (x.astype(np.float64) - per_channel(mean)) * per_channel(factor) + per_channel(shift)
    sure = np.abs(expected) > 1e-5  # that rounding does not decide the sign
    expected = np.maximum(expected, 0) if relu else expected
    with guarded(*blocked(x).shape) as y:
        kernels.batch_norm(blocked(x), *affine, relu, y, threads)
    np.testing.assert_allclose(unblocked(y, channels), expected, atol=1e-5)
    assert not unblocked(y, 16 * y.shape[1])[:, channels:].any()

    dy *= sure
    g = np.where(expected > 0, dy, 0) if relu else dy
    with guarded(y.shape[1], n * height, 2, 16) as sums:
        kernels.batch_norm_sums(blocked(dy), blocked(x), *affine, relu, sums, threads)
    np.testing.assert_allclose(of_channels(sums[:, :, 0], channels), g.sum(axis=(0, 2, 3)), atol=1e-4)
    about_mean = g * (x.astype(np.float64) - per_channel(mean))
    np.testing.assert_allclose(of_channels(sums[:, :, 1], channels), about_mean.sum(axis=(0, 2, 3)), atol=1e-3)

    with guarded(*y.shape) as dx:
        kernels.batch_norm_backward(blocked(dy), blocked(x), *affine, relu, laid(mean_dy), laid(slope), dx, threads)
    inner = g - per_channel(mean_dy) - per_channel(slope) * (x.astype(np.float64) - per_channel(mean))
    np.testing.assert_allclose(unblocked(dx, channels), per_channel(factor) * inner, atol=1e-4)


@EACH_ISA
def test_arrays_that_do_not_fit_are_refused(instructions: str) -> None:
    kernels, one = machine_with(instructions).kernels, laid(normal(0, 20))
    x, other = blocked(normal(0, 1, 20, 4, 4)), blocked(normal(0, 1, 20, 4, 5))
    calls = [
        (kernels.row_moments, (x, np.empty((2, 3, 2, 16), np.float32), 1)),
        (kernels.batch_norm, (x, one, one, one[:1].copy(), True, x.copy(), 1)),
        (kernels.batch_norm, (x, one, one, one, True, other, 1)),
        (kernels.batch_norm_sums, (other, x, one, one, one, True, np.empty((2, 4, 2, 16), np.float32), 1)),
        (kernels.batch_norm_sums, (x, x, one, one, one, True, np.empty((1, 4, 2, 16), np.float32), 1)),
        (kernels.batch_norm_backward, (x, x, one, one, one, True, one, one, other, 1)),
        (kernels.batch_norm_backward, (x, x, one, one, one, True, one, one[:1].copy(), x.copy(), 1)),
    ]
    for call, arguments in calls:
        with pytest.raises(ValueError, match="does not fit"):
            call(*arguments)


BEHIND = {
    "alone": [],
    "scale": [layer("scale", "Scale", "a", "a")],
    "scale and bias": [layer("scale", "Scale", "a", "a", bias_term=True)],
    "relu": [in_place("ReLU", "a")],
    "all": [layer("scale", "Scale", "a", "a", bias_term=True), in_place("ReLU", "a")],
}


def net_of(shape: Shape, behind: list[LayerSpec], phase: str = "TRAIN", **options: Any) -> Net:
    before = conv("a", "data", 20, pad=[1], bias_term=False)
    norm = layer("norm", "BatchNorm", "a", "a", **options)
    return filled(spec_of(shape, before, norm, *behind, conv("b", "a", 3, 1)), phase=phase)


@pytest.mark.parametrize("behind", BEHIND)
@pytest.mark.parametrize("options", [{}, {"moving_average_fraction": 0.5, "eps": 0.1}, {"use_global_stats": True}])
def test_the_layers_are_one_operation_in_training(behind: str, options: dict[str, Any]) -> None:
    net, feeds = net_of((2, 3, 13, 18), BEHIND[behind], **options), {"data": normal(1, 2, 3, 13, 18)}
    fast = does(plan_of(net, feeds, keep=True), "norm")
    assert isinstance(fast, BatchNormalization)
    assert fast.layers == ("norm", *(each.name for each in BEHIND[behind]))
    assert_same_gradients(net, feeds)


@settings(max_examples=40)
@given(shape=SHAPES.filter(lambda s: s[0] * s[2] * s[3] >= 30), behind=st.sampled_from(sorted(BEHIND)))
def test_any_shape(shape: Shape, behind: str) -> None:
    """Of fewer values in a channel some are near the mean by chance, and their gradients beyond measure."""
    net, feeds = net_of(shape, BEHIND[behind]), {"data": normal(1, *shape)}
    assert_same_gradients(net, feeds)


def test_running_sums_grow_as_on_the_plain_path() -> None:
    found = []
    for path in ("fast", "plain"):
        net = net_of((3, 3, 9, 11), BEHIND["all"])
        net.path = path
        for i in range(3):
            net.forward(data=normal(i, 3, 3, 9, 11), keep=True)
        found.append({f"norm[{i}]": each.array for i, each in enumerate(net.params["norm"])})
    assert_all_near(*found, 1e-5)


def test_two_that_share_their_sums_change_them_in_the_nets_order() -> None:
    """Also where only one of them does a Scale as well, which stands behind the other."""
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
    """The sums change behind weights that were prepared with the old ones folded in."""
    train, feeds = net_of((2, 3, 9, 11), BEHIND["all"]), {"data": normal(0, 2, 3, 9, 11)}
    test = Net(train.spec, shared=train.params)
    before = test.forward(feeds)["b"]
    train.forward(feeds, keep=True)
    after = test.forward(feeds)["b"]
    assert np.abs(after - before).max() > 1e-3
    assert_near(after, reference_net(test).forward(feeds)["b"])


def test_what_is_looked_at_between_keeps_the_layers_apart() -> None:
    before, norm = conv("a", "data", 20, bias_term=False), layer("norm", "BatchNorm", "a")
    spec = spec_of((1, 3, 9, 11), before, norm, layer("scale", "Scale", "norm"), in_place("ReLU", "scale"))
    net, feeds = filled(spec, phase="TRAIN"), {"data": normal(0, 1, 3, 9, 11)}
    assert does(plan_of(net, feeds, keep=True), "norm").layers == ("norm",)
    assert_same_gradients(net, feeds)


@pytest.mark.parametrize(
    "behind",
    [
        layer("scale", "Scale", "a", "a", axis=0, num_axes=2),
        layer("scale", "Scale", "a", "a", num_axes=0),
        in_place("ReLU", "a", negative_slope=0.1),
        in_place("PReLU", "a"),
    ],
)
def test_other_layers_behind_stay(behind: LayerSpec) -> None:
    net, feeds = net_of((1, 3, 9, 11), [behind]), {"data": normal(0, 1, 3, 9, 11)}
    assert does(plan_of(net, feeds, keep=True), "norm").layers == ("norm",)
    assert_same_gradients(net, feeds)


def test_frozen_factors_get_no_gradient() -> None:
    net, feeds = net_of((2, 3, 9, 11), BEHIND["all"]), {"data": normal(0, 2, 3, 9, 11)}
    net.params["scale"][0].lr_mult = 0
    net.forward(feeds, keep=True)
    net.backward(b=normal(1, 2, 3, 9, 11))
    assert not net.params["scale"][0].grad.any() and net.params["scale"][1].grad.any()
