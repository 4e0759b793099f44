"""Small nets in the manner of published ones, with the layers of their forks: the fast path and the reference path."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import fcnlite
from fcnlite.formats import caffe
from fcnlite.formats.caffe import parse_net
from fcnlite.net import Net

INPUT = 'input: "data" input_dim: 1 input_dim: 3 input_dim: 32 input_dim: 48\n'
LABEL = 'input: "label" input_dim: 1 input_dim: 1 input_dim: 32 input_dim: 48\n'
LOSS = """layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label"
          loss_param { ignore_label: 255 %s } }"""


def conv(name: str, bottom: str, outputs: int, kernel: int = 3, extra: str = "", type_: str = "Convolution") -> str:
    pad = "" if "pad" in extra or kernel == 1 else f"pad: {kernel // 2}"
    return (
        f'layer {{ name: "{name}" type: "{type_}" bottom: "{bottom}" top: "{name}" convolution_param {{ num_output: '
        f'{outputs} kernel_size: {kernel} {pad} {extra} weight_filler {{ type: "msra" }} }} }}\n'
    )


def inplace(type_: str, blob: str, extra: str = "", name: str = "") -> str:
    return f'layer {{ name: "{name or blob + "_" + type_}" type: "{type_}" bottom: "{blob}" top: "{blob}" {extra} }}\n'


def pool(name: str, bottom: str) -> str:
    return (
        f'layer {{ name: "{name}" type: "Pooling" bottom: "{bottom}" top: "{name}" top: "{name}_mask" '
        "pooling_param { pool: MAX kernel_size: 2 stride: 2 } }\n"
    )


SEGNET_BN = "bn_param { bn_mode: %s scale_filler { value: 1.5 } shift_filler { value: 0.1 } }"
PSP_BN = "bn_param { slope_filler { value: 1.5 } bias_filler { value: 0.1 } frozen: %s momentum: 0.95 }"


def segnet(mode: str) -> str:
    """SegNet-basic: encoder, decoder with masks, weights of classes, dropout that also samples in use."""
    text = INPUT + LABEL + inplace("LRN", "data", name="norm").replace('top: "data"', 'top: "norm"')
    below = "norm"
    for i, width in enumerate((8, 16)):
        text += conv(f"conv{i}", below, width) + inplace("BN", f"conv{i}", SEGNET_BN % mode)
        text += inplace("ReLU", f"conv{i}") + pool(f"pool{i}", f"conv{i}")
        below = f"pool{i}"
    text += inplace("Dropout", below, "dropout_param { dropout_ratio: 0.5 sample_weights_test: true }")
    for i, width in ((1, 8), (0, 8)):
        text += f'layer {{ name: "up{i}" type: "Upsample" bottom: "{below}" bottom: "pool{i}_mask" top: "up{i}" '
        text += "upsample_param { scale: 2 } }\n"
        text += conv(f"dec{i}", f"up{i}", width) + inplace("BN", f"dec{i}", SEGNET_BN % mode)
        below = f"dec{i}"
    weights = "weight_by_label_freqs: true class_weighting: 0.5 class_weighting: 2 class_weighting: 1"
    return text + conv("score", below, 3, 1) + LOSS % weights


DECONVNET = (
    INPUT
    + LABEL
    + conv("conv", "data", 8)
    + inplace("BN", "conv", SEGNET_BN % "INFERENCE")
    + inplace("ReLU", "conv")
    + pool("pool", "conv")
    + conv("fc6", "pool", 16, 5, "pad: 0")
    + conv("fc6d", "fc6", 8, 5, "pad: 0", "Deconvolution")
    + """layer { name: "unpool" type: "Unpooling" bottom: "fc6d" bottom: "pool_mask" top: "unpool"
        unpooling_param { unpool: MAX kernel_size: 2 stride: 2 unpool_h: 32 unpool_w: 48 } }\n"""
    + conv("decode", "unpool", 8, 3, "", "Deconvolution")
    + inplace("ReLU", "decode")
    + conv("score", "decode", 3, 1)
    + LOSS % ""
)

DEEPLAB = (
    INPUT
    + LABEL
    + """layer { name: "small" type: "Interp" bottom: "label" top: "small" interp_param { shrink_factor: 4 } }
    layer { name: "gone" type: "Silence" bottom: "small" }\n"""
    + conv("conv1", "data", 8, 3, "stride: 2")
    + inplace("ReLU", "conv1")
    + conv("conv2", "conv1", 8, 3, "stride: 2")
    + inplace("ReLU", "conv2")
    + conv("a", "conv2", 3, 3, "hole: 2 pad: 2")
    + conv("b", "conv2", 3, 3, "hole: 4 pad: 4")
    + """layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "b" top: "sum" }
    layer { name: "grown" type: "Interp" bottom: "sum" top: "score" interp_param { height: 32 width: 48 } }\n"""
    + LOSS % "normalize: false"
)


def pspnet(frozen: str) -> str:
    """PSPNet: a pyramid of poolings, brought back to size and joined."""
    text = INPUT + LABEL + conv("conv", "data", 8, 3, "stride: 2") + inplace("BN", "conv", PSP_BN % frozen)
    text += inplace("ReLU", "conv")
    for size in (4, 8):
        text += f'layer {{ name: "p{size}" type: "Pooling" bottom: "conv" top: "p{size}" pooling_param {{ pool: AVE '
        text += f"kernel_size: {size} stride: {size} }} }}\n" + conv(f"c{size}", f"p{size}", 4, 1, "bias_term: false")
        text += inplace("BN", f"c{size}", PSP_BN % frozen)
        text += f'layer {{ name: "i{size}" type: "Interp" bottom: "c{size}" top: "i{size}" interp_param {{ height: 16 '
        text += "width: 24 } }\n"
    text += 'layer { name: "joined" type: "Concat" bottom: "conv" bottom: "i4" bottom: "i8" top: "joined" }\n'
    text += conv("low", "joined", 3) + (
        'layer { name: "zoom" type: "Interp" bottom: "low" top: "wide" interp_param { zoom_factor: 2 } }\n'
        'layer { name: "even" type: "Interp" bottom: "wide" top: "score" interp_param { height: 32 width: 48 } }\n'
    )
    return text + LOSS % ""


ENET = (
    INPUT
    + LABEL
    + conv("initial", "data", 8, 3, "stride: 2")
    + inplace("BatchNorm", "initial")
    + inplace("Scale", "initial", "scale_param { bias_term: true }")
    + inplace("PReLU", "initial")
    + conv("reduce", "initial", 4, 1)
    + conv("wide", "reduce", 4, 3, "dilation: 2 pad: 2")
    + inplace("ReLU6", "wide")
    + conv("depthwise", "wide", 4, 3, "", "DepthwiseConvolution")
    + inplace("ShuffleChannel", "depthwise", "shuffle_channel_param { group: 2 }")
    + conv("expand", "depthwise", 8, 1)
    + """layer { name: "add" type: "Eltwise" bottom: "expand" bottom: "initial" top: "add" }
    layer { name: "gate" type: "Pooling" bottom: "add" top: "gate" pooling_param { pool: AVE global_pooling: true } }
    layer { name: "sigmoid" type: "Sigmoid" bottom: "gate" top: "gate" }
    layer { name: "axpy" type: "Axpy" bottom: "gate" bottom: "add" bottom: "initial" top: "axpy" }
    layer { name: "norm" type: "Normalize" bottom: "axpy" top: "norm"
            norm_param { across_spatial: false channel_shared: false scale_filler { value: 10 } } }\n"""
    + pool("pool", "norm")
    + """layer { name: "up" type: "Upsample" bottom: "pool" bottom: "pool_mask" top: "up" }\n"""
    + conv("score", "up", 3, 2, "stride: 2 pad: 0", "Deconvolution")
    + LOSS % ""
)

HED = (
    INPUT
    + 'input: "label" input_dim: 1 input_dim: 1 input_dim: 32 input_dim: 48\n'
    + conv("conv1", "data", 8, 3, "pad: 5")
    + inplace("ReLU", "conv1")
    + pool("pool1", "conv1")
    + conv("conv2", "pool1", 8)
    + conv("dsn1", "conv1", 1, 1)
    + conv("dsn2", "conv2", 1, 1)
    + conv("dsn2up", "dsn2", 1, 4, "stride: 2 pad: 0", "Deconvolution")
    + """layer { name: "crop" type: "Crop" bottom: "dsn1" bottom: "data" top: "side1" crop_param { axis: 2 offset: 4 } }
    layer { name: "crop" type: "Crop" bottom: "dsn2up" bottom: "data" top: "side2" crop_param { axis: 2 offset: 5 } }
    layer { name: "loss1" type: "SigmoidCrossEntropyLoss" bottom: "side1" bottom: "label" }
    layer { name: "loss2" type: "SigmoidCrossEntropyLoss" bottom: "side2" bottom: "label" }
    layer { name: "fuse" type: "Concat" bottom: "side1" bottom: "side2" top: "fuse" }\n"""
    + conv("score", "fuse", 1, 1)
    + 'layer { name: "loss" type: "SigmoidCrossEntropyLoss" bottom: "score" bottom: "label" }'
)

NETS = {
    "SegNet": segnet("INFERENCE"),
    "SegNet in training": segnet("LEARN"),
    "DeconvNet": DECONVNET,
    "DeepLab": DEEPLAB,
    "PSPNet": pspnet("true"),
    "PSPNet in training": pspnet("false"),
    "ENet": ENET,
    "HED": HED,
}
X = np.random.default_rng(0).normal(0, 1, (2, 3, 32, 48)).astype(np.float32)
Y = np.random.default_rng(1).choice([0, 1, 2, 255], size=(2, 1, 32, 48))


@pytest.mark.parametrize("phase", ["TEST", "TRAIN"])
@pytest.mark.parametrize("name", NETS)
def test_both_paths_agree(name: str, phase: str) -> None:
    spec = parse_net(NETS[name])
    exact = Net(spec, phase=phase, path="plain", dtype="float64", seed=3)
    fast = Net(spec, phase=phase, path="fast", seed=3)
    label = Y if name != "HED" else (Y == 1)
    for key, parameters in exact.params.items():
        for mine, theirs in zip(fast.params[key], parameters, strict=True):
            mine.data[...] = theirs.array
    expected = exact.forward(data=X, label=label, outputs=["score", "loss"], keep=True)
    found = fast.forward(data=X, label=label, outputs=["score", "loss"], keep=True)
    for blob, values in expected.items():
        np.testing.assert_allclose(found[blob], values, atol=2e-5 * max(1, np.abs(values).max()), err_msg=blob)
    exact.backward(wrt=["data"])
    fast.backward(wrt=["data"])
    np.testing.assert_allclose(fast.grads["data"], exact.grads["data"], atol=1e-4 * np.abs(exact.grads["data"]).max())
    for key, parameters in exact.params.items():
        for mine, theirs in zip(fast.params[key], parameters, strict=True):
            scale = max(1e-3, float(np.abs(theirs.grad).max()))
            np.testing.assert_allclose(mine.grad, theirs.grad, atol=2e-4 * scale, err_msg=key)
            np.testing.assert_allclose(mine.array, theirs.array, atol=2e-5 * max(1, np.abs(theirs.array).max()))


def test_a_bn_without_options_is_told_by_its_blobs(tmp_path: Path) -> None:
    text = INPUT + conv("conv", "data", 4) + inplace("BN", "conv", name="bn")
    (tmp_path / "net.prototxt").write_text(text)
    first = Net(parse_net(text))
    weights = {"conv": [each.array for each in first.params["conv"]]}
    x = X[:1]
    for count in (2, 4):
        blobs = [np.full((1, 4, 1, 1), value, np.float32) for value in (2, 1, 0.5, 4)[:count]]
        caffe.write_weights(tmp_path / "net.caffemodel", {**weights, "bn": blobs})
        net = fcnlite.load(tmp_path / "net.prototxt", tmp_path / "net.caffemodel", mean=0)
        assert len(net.params["bn"]) == count
        out = net.forward(data=x)["conv"]
        plain = Net(parse_net(text[: text.index('layer { name: "bn"')]))
        for mine, theirs in zip(plain.params["conv"], weights["conv"], strict=True):
            mine.data[...] = theirs
        y = plain.forward(data=x)["conv"].astype(np.float64)
        mean, variance = (0.5, 4) if count == 4 else (y.mean((0, 2, 3), keepdims=True), y.var((0, 2, 3), keepdims=True))
        np.testing.assert_allclose(out, 2 * (y - mean) / np.sqrt(variance + 1e-5) + 1, atol=1e-3)
