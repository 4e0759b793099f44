"""Layers of forks and Caffe's less usual ones against their formulas, pixel by pixel in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fcnlite import layers
from fcnlite.errors import DataError, ShapeError, SpecError
from fcnlite.formats.caffe import parse_net, write_net
from fcnlite.layers.base import ForwardRun
from fcnlite.net import Net

RNG = np.random.default_rng(0)


def top(kind: str, *bottom: Any, **options: Any) -> np.ndarray:
    return layers.apply(kind, *bottom, **options).top


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"height": 11, "width": 4}, (11, 4)),
        ({"zoom_factor": 3}, (13, 19)),
        ({"shrink_factor": 2}, (3, 4)),
        ({"zoom_factor": 2, "shrink_factor": 3}, (3, 5)),
        ({"zoom_factor": 2, "height": 3, "width": 3}, (9, 13)),  # as in PSPNet, a factor counts
        ({"zoom_factor": 2, "shrink_factor": 3, "height": 3, "width": 8}, (3, 8)),
        ({"height": 1, "width": 1}, (1, 1)),
        ({"zoom_factor": 2, "pad_beg": -1, "pad_end": -2}, (3, 7)),
    ],
)
def test_interp_by_its_formula(options: dict[str, int], size: tuple[int, int]) -> None:
    x = RNG.normal(size=(2, 3, 5, 7))
    beg, end = -options.get("pad_beg", 0), options.get("pad_end", 0)
    inner = x[:, :, beg : 5 + end, beg : 7 + end]
    expected = np.empty((2, 3, *size))
    for i in range(size[0]):
        for j in range(size[1]):
            row = i * (inner.shape[2] - 1) / max(size[0] - 1, 1)
            column = j * (inner.shape[3] - 1) / max(size[1] - 1, 1)
            r, c = min(int(row), inner.shape[2] - 1), min(int(column), inner.shape[3] - 1)
            below, right = min(r + 1, inner.shape[2] - 1), min(c + 1, inner.shape[3] - 1)
            u, v = row - r, column - c
            expected[:, :, i, j] = (1 - u) * ((1 - v) * inner[:, :, r, c] + v * inner[:, :, r, right]) + u * (
                (1 - v) * inner[:, :, below, c] + v * inner[:, :, below, right]
            )
    np.testing.assert_allclose(top("Interp", x, **options), expected, atol=1e-12)


def test_interp_refuses_what_the_forks_refuse() -> None:
    x = np.zeros((1, 1, 3, 3))
    for options, words in (
        ({}, "the size is missing"),
        ({"height": 3}, "the size is missing"),
        ({"zoom_factor": 2, "pad_beg": 1}, "pad_beg is 1; expected at most 0"),
        ({"shrink_factor": 0}, "shrink_factor is 0"),
    ):
        with pytest.raises(SpecError, match=words):
            top("Interp", x, **options)
    with pytest.raises(ShapeError, match="crop all of the 3 rows"):
        top("Interp", x, zoom_factor=2, pad_beg=-2, pad_end=-1)


def test_bn_of_segnet() -> None:
    x, scale, shift = RNG.normal(size=(2, 3, 4, 5)), RNG.normal(size=(1, 3, 1, 1)), RNG.normal(size=(1, 3, 1, 1))
    found = layers.apply("BN", x, params=[scale, shift], phase="TEST")  # LEARN, also in phase TEST
    mean, variance = x.mean((0, 2, 3), keepdims=True), (x**2).mean((0, 2, 3), keepdims=True)
    normalized = (x - mean) / np.sqrt(variance - mean**2 + 1e-9)
    np.testing.assert_allclose(found.top, scale * normalized + shift, atol=1e-9)
    inference = layers.apply("BN", x, params=[scale, shift], bn_mode="INFERENCE")
    np.testing.assert_array_equal(inference.top, x * scale + shift)


def test_bn_of_deconvnet_has_the_statistics_as_tops() -> None:
    """As in the net that measures them over a training set, with ReLU in place behind it."""
    text = """input: "data" input_dim: 2 input_dim: 3 input_dim: 4 input_dim: 5
    layers { name: "bn" type: BN bottom: "data" top: "y" top: "bn-mean" top: "bn-var"
             bn_param { scale_filler { value: 2 } shift_filler { value: 0.5 } } }
    layers { name: "relu" type: RELU bottom: "y" top: "y" }"""
    x = np.random.default_rng(1).normal(size=(2, 3, 4, 5)) + 1
    for path in ("fast", "plain"):
        net = Net(parse_net(text), path=path, phase="TRAIN")
        out = net.forward(data=x, keep=True)
        np.testing.assert_allclose(out["bn-mean"].ravel(), x.mean((0, 2, 3)), rtol=1e-5)
        np.testing.assert_allclose(out["bn-var"].ravel(), x.var((0, 2, 3)), rtol=1e-5)
        mean, variance = out["bn-mean"], out["bn-var"]
        np.testing.assert_allclose(out["y"], np.maximum(2 * (x - mean) / np.sqrt(variance) + 0.5, 0), atol=1e-5)
        net.backward(y=np.ones(x.shape), wrt=["data"])
    for options in ("bn_mode: INFERENCE", "momentum: 0.9"):
        other = text.replace("scale_filler { value: 2 } shift_filler { value: 0.5 }", options)
        with pytest.raises(SpecError, match="further tops belong to SegNet's BN in bn_mode LEARN"):
            Net(parse_net(other))


@pytest.mark.parametrize("frozen", [False, True])
def test_bn_of_pspnet(frozen: bool) -> None:
    x = RNG.normal(size=(2, 3, 4, 5))
    slope, bias, mean, variance = (RNG.uniform(0.5, 2, (1, 3, 1, 1)) for _ in range(4))
    params = [each.copy() for each in (slope, bias, mean, variance)]
    used = slope * (x - mean) / np.sqrt(variance + 1e-3) + bias
    test = layers.apply("BN", x, params=params, phase="TEST", momentum=0.8, eps=1e-3, frozen=frozen)
    np.testing.assert_allclose(test.top, used, atol=1e-12)
    train = layers.apply("BN", x, params=params, phase="TRAIN", momentum=0.8, eps=1e-3, frozen=frozen)
    here, spread = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
    of_batch = slope * (x - here) / np.sqrt(spread + 1e-3) + bias
    np.testing.assert_allclose(train.top, used if frozen else of_batch, atol=1e-12)
    running = (mean, variance) if frozen else (0.8 * mean + 0.2 * here, 0.8 * variance + 0.2 * spread)
    for found, expected in zip(train.params[2:], running, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_bn_of_both_forks_at_once_is_an_error() -> None:
    with pytest.raises(SpecError, match="bn_mode is an option of SegNet's BN and frozen of PSPNet's"):
        top("BN", np.zeros((1, 1, 2, 2)), bn_mode="LEARN", frozen=True)


def test_upsample_undoes_a_pooling() -> None:
    text = """input: "data" input_dim: 2 input_dim: 3 input_dim: 9 input_dim: 7
    layer { name: "pool" type: "Pooling" bottom: "data" top: "pool" top: "mask"
            pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
    layer { name: "up" type: "Upsample" bottom: "pool" bottom: "mask" top: "up"
            upsample_param { scale: 2 pad_out_h: true pad_out_w: true } }
    layer { name: "un" type: "Unpooling" bottom: "pool" bottom: "mask" top: "un"
            unpooling_param { unpool: MAX kernel_size: 2 stride: 2 unpool_h: 9 unpool_w: 7 } }"""
    x = RNG.normal(size=(2, 3, 9, 7))
    for path in ("fast", "plain"):
        net = Net(parse_net(text), path=path)
        out = net.forward(data=x, outputs=["pool", "up", "un"])
        expected = np.zeros(x.shape)
        for n, c, i, j in np.ndindex(2, 3, 5, 4):
            window = x[n, c, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
            row, column = np.unravel_index(window.argmax(), window.shape)
            expected[n, c, 2 * i + row, 2 * j + column] = window.max()
        for name in ("up", "un"):
            np.testing.assert_allclose(out[name], expected.astype(np.float32))
    with pytest.raises(DataError, match="the mask holds 56, which is not a place in a top of 8×7"):
        Net(parse_net(text.replace("unpool_h: 9", "unpool_h: 8"))).forward(data=-np.abs(x) + np.eye(9, 7))
    with pytest.raises(SpecError, match="pad_out_h needs a scale of 2, found 3"):
        Net(parse_net(text.replace("scale: 2", "scale: 3")))


def test_unpooling_without_a_mask_goes_to_corners() -> None:
    x = np.arange(1.0, 5).reshape(1, 1, 2, 2)
    found = top("Unpooling", x, unpool_h=3, unpool_w=5, stride_h=2, stride_w=3)
    np.testing.assert_array_equal(found[0, 0], [[1, 0, 0, 2, 0], [0] * 5, [3, 0, 0, 4, 0]])


@pytest.mark.parametrize("across", [True, False])
def test_normalize(across: bool) -> None:
    x, scale = RNG.normal(size=(2, 3, 4, 5)), RNG.normal(size=3)
    found = layers.apply("Normalize", x, params=[scale], across_spatial=across, channel_shared=False, eps=0.25).top
    norm = np.sqrt((x**2).sum((1, 2, 3) if across else 1, keepdims=True) + 0.25)
    np.testing.assert_allclose(found, x / norm * scale[:, None, None], atol=1e-12)


def test_the_order_of_shuffled_channels_and_permuted_axes() -> None:
    x = np.arange(12.0).reshape(1, 6, 1, 2)
    np.testing.assert_array_equal(top("ShuffleChannel", x, group=2)[0, :, 0, 0] / 2, [0, 3, 1, 4, 2, 5])
    np.testing.assert_array_equal(top("Permute", x, order=(0, 3)), x.transpose(0, 3, 1, 2))


def test_elementwise_ones() -> None:
    x = np.array([-800.0, -1.5, 0.25, 3.0, 7.0, 900.0])
    np.testing.assert_allclose(top("ReLU6", x), [0, 0, 0.25, 3, 6, 6])
    np.testing.assert_allclose(top("BNLL", x)[1:5], np.log(1 + np.exp(x[1:5])))
    assert top("BNLL", x)[0] == 0 and top("BNLL", x)[-1] == 900
    np.testing.assert_allclose(top("Swish", x, beta=2.0)[1:], x[1:] / (1 + np.exp(-2 * x[1:])))
    np.testing.assert_array_equal(top("Clip", x, min=-1.0, max=3.0), [-1, -1, 0.25, 3, 3, 3])
    np.testing.assert_array_equal(top("Threshold", x, threshold=3.0), [0, 0, 0, 0, 1, 1])
    a, b, c = RNG.normal(size=(2, 3)), RNG.normal(size=(2, 3, 4, 4)), RNG.normal(size=(2, 3, 4, 4))
    np.testing.assert_allclose(top("Axpy", a, b, c), a[:, :, None, None] * b + c)
    # The gradient passes where Caffe lets it pass: at the bounds of Clip, not at those of ReLU6.
    assert layers.apply("Clip", np.array([-1.0, 3.0]), min=-1.0, max=3.0).backward()[0].tolist() == [1, 1]
    assert layers.apply("ReLU6", np.array([0.0, 6.0])).backward()[0].tolist() == [0, 0]


def uneven(x: np.ndarray, pool: str, size: int, stride: int, before: int, after: int) -> list[float]:
    """One row, pooled as Synopsys' Caffe says."""
    count = -(-(len(x) + before + after - size) // stride) + 1
    if (before or after) and (count - 1) * stride >= len(x) + before:
        count -= 1
    found = []
    for i in range(count):
        start = i * stride - before
        end = min(start + size, len(x) + after)
        part = x[max(start, 0) : min(end, len(x))]
        whole = end - start if pool == "AVE" else len(part)
        found.append(part.max() if pool == "MAX" else part.sum() / whole)
    return found


@pytest.mark.parametrize("pool", ["MAX", "AVE", "AVE_EXC_PAD", "AVE_TF"])
@pytest.mark.parametrize(
    ("size", "stride", "before", "after"), [(3, 2, 0, 1), (3, 2, 1, 0), (2, 2, 1, 1), (4, 3, 0, 2)]
)
def test_pooling_with_different_pads(pool: str, size: int, stride: int, before: int, after: int) -> None:
    x = RNG.normal(size=9) - 3
    pads = {"pad_l": before, "pad_r": after}
    found = top("UnevenPooling", x.reshape(1, 1, 1, 9), pool=pool, kernel_h=1, kernel_w=size, stride=stride, **pads)
    np.testing.assert_allclose(found[0, 0, 0], uneven(x, pool, size, stride, before, after), atol=1e-12)


def test_a_pooling_of_synopsys_is_read_and_written() -> None:
    text = 'layer { name: "p" type: "Pooling" bottom: "a" top: "p" pooling_param { pool: %s kernel_size: 3 %s } }'
    for pool, pads, kind in (
        ("MAX", "pad_l: 1 pad_r: 1 pad_t: 2 pad_b: 2", "Pooling"),
        ("MAX", "pad_l: 1", "UnevenPooling"),
        ("AVE_TF", "", "UnevenPooling"),
    ):
        spec = parse_net(text % (pool, pads))
        assert spec.layer("p").type == kind and parse_net(write_net(spec)) == spec
    assert parse_net(text % ("MAX", "pad_l: 1 pad_r: 1 pad_t: 2 pad_b: 2")).layer("p").options["pad_h"] == 2


def test_stochastic_pooling_draws_in_proportion() -> None:
    x = np.tile(np.array([1.0, 2.0, 5.0, 0.0]).reshape(1, 1, 2, 2), (1, 20_000, 1, 1))
    layer = layers.create(parse_net(
        'layer { name: "p" type: "Pooling" bottom: "x" top: "y" pooling_param { pool: STOCHASTIC kernel_size: 2 } }'
    ).layers[0], "TRAIN")  # fmt: skip
    run = ForwardRun([], rng=lambda: np.random.default_rng(3))
    (y,) = layer.forward([x], run)
    values, counts = np.unique(y, return_counts=True)
    assert values.tolist() == [1, 2, 5]
    np.testing.assert_allclose(counts / counts.sum(), [1 / 8, 2 / 8, 5 / 8], atol=0.02)
    test = top("Pooling", x[:, :1], pool="STOCHASTIC", kernel_size=2)
    assert layers.apply("Pooling", x[:, :1], phase="TEST", pool="STOCHASTIC", kernel_size=2).top.item() == 30 / 8
    assert test.item() in (1, 2, 5)
    assert layers.apply("Pooling", 0 * x[:, :1], phase="TEST", pool="STOCHASTIC", kernel_size=2).top.item() == 0


def test_a_pyramid_is_its_poolings() -> None:
    x = RNG.normal(size=(2, 3, 8, 12))
    found = top("SPP", x, pyramid_height=3, pool="AVE")
    parts = [x.reshape(2, 3, k, 8 // k, k, 12 // k).mean((3, 5)).reshape(2, -1) for k in (1, 2, 4)]
    np.testing.assert_allclose(found, np.concatenate(parts, axis=1), atol=1e-12)
    assert top("SPP", x, pyramid_height=1).shape == (2, 3, 1, 1)
    with pytest.raises(ShapeError, match="12 rows or columns are too few for the 8 windows"):
        top("SPP", x, pyramid_height=5)


def test_im2col_is_the_first_half_of_a_convolution() -> None:
    x, weight = RNG.normal(size=(2, 3, 6, 7)), RNG.normal(size=(4, 3, 3, 2))
    window = {"kernel_h": 3, "kernel_w": 2, "stride": (2,), "pad": (1,)}
    patches = top("Im2col", x, **window)
    convolved = layers.apply("Convolution", x, params=[weight], num_output=4, bias_term=False, **window).top
    np.testing.assert_allclose(np.einsum("oc,nchw->nohw", weight.reshape(4, -1), patches), convolved, atol=1e-12)


def test_losses_of_pictures() -> None:
    x, label = RNG.normal(size=(5, 4)) * 2, np.array([0, 3, 1, 1, 2])
    margins = np.maximum(0, 1 + np.where(np.arange(4) == label[:, None], -1, 1) * x)
    np.testing.assert_allclose(top("HingeLoss", x, label), margins.sum() / 5)
    np.testing.assert_allclose(top("HingeLoss", x, label, norm="L2"), (margins**2).sum() / 5)
    p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    np.testing.assert_allclose(top("MultinomialLogisticLoss", p, label), -np.log(p[np.arange(5), label]).mean())
    np.testing.assert_allclose(top("MultinomialLogisticLoss", 0 * p, label), -np.log(1e-20))
    with pytest.raises(ShapeError, match="one label for each of the pictures"):
        top("HingeLoss", x, label[:4])


def test_a_parameter_is_learned() -> None:
    text = """input: "data" input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 3
    layer { name: "w" type: "Parameter" top: "w" parameter_param { shape { dim: 2 } } }
    layer { name: "s" type: "Bias" bottom: "data" bottom: "w" top: "s" bias_param { axis: 1 } }
    layer { name: "l" type: "Reduction" bottom: "s" top: "l" loss_weight: 1 }"""
    net = Net(parse_net(text), phase="TRAIN")
    net.params["w"][0].data[...] = (5, 7)
    out = net.forward(data=np.zeros((1, 2, 3, 3)), outputs=["s"], keep=True)
    assert out["s"][0, :, 0, 0].tolist() == [5, 7]
    net.backward()
    assert net.params["w"][0].grad.tolist() == [9, 9]


@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
@pytest.mark.parametrize("path", ["fast", "plain"])
def test_dropout_of_forks(phase: str, path: str) -> None:
    text = """input: "data" input_dim: 1 input_dim: 1 input_dim: 40 input_dim: 40
    layer { name: "d" type: "Dropout" bottom: "data" top: "y" dropout_param { dropout_ratio: 0.2 %s } }"""
    x = np.ones((1, 1, 40, 40))
    unscaled = Net(parse_net(text % "scale_train: false"), phase=phase, path=path).forward(data=x)["y"]
    assert set(np.unique(unscaled)) == ({0, 1} if phase == "TRAIN" else {np.float32(0.8)})
    sampling = Net(parse_net(text % "sample_weights_test: true"), phase=phase, path=path)
    first = sampling.forward(data=x)["y"]
    assert set(np.unique(first)) == {0, np.float32(1.25)} and abs(first.mean() - 1) < 0.05
    sampling.iteration = 9
    assert (sampling.forward(data=x)["y"] != first).any()


@pytest.mark.parametrize("unpool", ["AVE", "TILE"])
def test_unpooling_over_windows(unpool: str) -> None:
    """Windows overlap, end at the edge of the top, or begin after it, where they have no pixels."""
    x = np.random.default_rng(2).normal(size=(2, 3, 4, 3))
    options = {"kernel_h": 3, "kernel_w": 2, "stride_h": 2, "stride_w": 3, "unpool_h": 6, "unpool_w": 8}
    expected = np.zeros((2, 3, 6, 8))
    for i, j in np.ndindex(4, 3):
        window = expected[:, :, 2 * i : 2 * i + 3, 3 * j : 3 * j + 2]
        window += x[:, :, i, j, None, None] / (max(window[0, 0].size, 1) if unpool == "AVE" else 1)
    np.testing.assert_allclose(top("Unpooling", x, unpool=unpool, **options), expected, atol=1e-12)
    np.testing.assert_array_equal(
        top("Unpooling", x, np.zeros(x.shape), unpool=unpool, **options), top("Unpooling", x, unpool=unpool, **options)
    )
    with pytest.raises(SpecError, match="kernel_size is missing"):
        top("Unpooling", x, unpool=unpool, unpool_size=8)
