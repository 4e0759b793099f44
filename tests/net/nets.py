"""Small nets, their inputs, and random nets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from hypothesis import strategies as st

from fcnlite.arrays import Array
from fcnlite.description.spec import LayerSpec, NetSpec, ParamSpec
from fcnlite.formats.caffe import parse_net
from fcnlite.net import Net

SMALL = parse_net("""
name: "small"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 2 dim: 9 dim: 9 } } }
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 1 dim: 1 dim: 9 dim: 9 } } }
layer {
  name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } }
}
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer {
  name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
  pooling_param { kernel_size: 2 stride: 2 }
}
layer {
  name: "score_pool" type: "Convolution" bottom: "pool1" top: "score_pool"
  convolution_param { num_output: 3 kernel_size: 1 weight_filler { type: "xavier" } }
}
layer {
  name: "up" type: "Deconvolution" bottom: "score_pool" top: "up" param { lr_mult: 0 }
  convolution_param {
    num_output: 3 group: 3 kernel_size: 4 stride: 2 pad: 1 bias_term: false weight_filler { type: "bilinear" }
  }
}
layer { name: "score" type: "Crop" bottom: "up" bottom: "data" top: "score" }
layer {
  name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss"
  loss_param { ignore_label: 255 }
}
""")


def small(**how: Any) -> Net:
    return Net(SMALL, path="plain", **how)


def picture(height: int = 9, width: int = 9, batch: int = 1, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=(batch, 2, height, width)).astype(np.float32)


def labels(height: int = 9, width: int = 9, batch: int = 1) -> Array:
    return np.random.default_rng(1).integers(0, 3, (batch, height, width))


def layer(name: str, type_: str, bottom: str = "", top: str = "", **rest: Any) -> LayerSpec:
    """One layer; `bottom` and `top` are names of blobs, separated by blanks."""
    fields = {key: rest.pop(key) for key in ("param", "loss_weight", "propagate_down", "phase") if key in rest}
    return LayerSpec(name, type_, tuple(bottom.split()), tuple((top or name).split()), rest, **fields)


def data(*shape: int, name: str = "data") -> LayerSpec:
    return layer(name, "Input", shape=[{"dim": list(shape)}])


def conv(name: str, bottom: str, num_output: int = 2, kernel: int = 1, top: str = "", **rest: Any) -> LayerSpec:
    options: dict[str, Any] = {"num_output": num_output, "kernel_size": [kernel], **rest}
    options.setdefault("weight_filler", {"type": "xavier"})
    return layer(name, "Convolution", bottom, top, **options)


def net_of(*layers: LayerSpec, force_backward: bool = False, **how: Any) -> Net:
    how.setdefault("dtype", "float64")
    return Net(NetSpec("net", layers, force_backward), path="plain", **how)


def gradients(net: Net) -> dict[str, Array]:
    return {
        f"{name}[{i}]": parameter.grad.copy()
        for name, parameters in net.params.items()
        for i, parameter in enumerate(parameters)
    }


def assert_same(found: Mapping[str, Array], expected: Mapping[str, Array]) -> None:
    assert set(found) == set(expected)
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-12, atol=1e-15, err_msg=name)


CHOICES = (
    "conv", "relu", "pool", "eltwise", "concat", "split", "crop", "deconv", "inplace", "dropout", "softmax",
)  # fmt: skip


@st.composite
def random_nets(draw: Any) -> NetSpec:
    """Small nets with skips. Every blob has 2 channels; Crop makes sizes equal."""
    layers = [data(1, 2, 6, 7)]
    sizes = {"data": (6, 7)}
    shared_by = draw(st.sampled_from(["", "w"]))
    param = (ParamSpec(name=shared_by, decay_mult=0.0),) if shared_by else ()
    for i in range(draw(st.integers(2, 7))):
        bottom = draw(st.sampled_from(sorted(sizes)))
        height, width = sizes[bottom]
        other = draw(st.sampled_from(sorted(sizes)))
        choice = draw(st.sampled_from(CHOICES))
        top = f"b{i}"
        if choice == "conv":
            layers.append(conv(top, bottom, 2, 3, pad=[1], param=param))
        elif choice == "relu":
            layers.append(layer(top, "ReLU", bottom, negative_slope=0.2))
        elif choice == "inplace" and bottom != "data":
            layers.append(layer(top, "ReLU", bottom, bottom, negative_slope=0.2))
            continue
        elif choice == "dropout" and bottom != "data":
            layers.append(layer(top, "Dropout", bottom, draw(st.sampled_from([bottom, top]))))
            sizes[layers[-1].top[0]] = (height, width)
            continue
        elif choice == "softmax":
            layers.append(layer(top, "Softmax", bottom))
        elif choice == "pool" and height > 3:
            layers.append(layer(top, "Pooling", bottom, kernel_size=2, stride=2, pool="AVE"))
            height, width = -(-height // 2), -(-width // 2)
        elif choice == "eltwise" and sizes[other] == (height, width):
            layers.append(layer(top, "Eltwise", f"{bottom} {other}", operation="SUM", coeff=[1.0, -0.5]))
        elif choice == "concat" and sizes[other] == (height, width):
            layers.append(layer(f"{top}x", "Concat", f"{bottom} {other}"))
            layers.append(conv(top, f"{top}x"))
        elif choice == "split":
            layers.append(layer(top, "Split", bottom, f"{top} {top}s"))
            sizes[f"{top}s"] = (height, width)
        elif choice == "crop" and height >= sizes[other][0] and width >= sizes[other][1]:
            layers.append(layer(top, "Crop", f"{bottom} {other}"))
            height, width = sizes[other]
        elif choice == "deconv" and height < 6:
            filler = {"type": "xavier"}
            layers.append(
                layer(
                    top,
                    "Deconvolution",
                    bottom,
                    num_output=2,
                    kernel_size=[2],
                    stride=[2],
                    weight_filler=filler,
                )
            )
            height, width = 2 * height, 2 * width
        else:
            layers.append(layer(top, "Scale", bottom, filler={"type": "uniform", "min": 0.5}, bias_term=True))
        sizes[top] = (height, width)
    for i, blob in enumerate(draw(st.lists(st.sampled_from(sorted(sizes)), min_size=1, max_size=2))):
        layers.append(data(1, *sizes[blob], name=f"label{i}"))
        layers.append(conv(f"score{i}", blob, 3))
        layers.append(layer(f"loss{i}", "SoftmaxWithLoss", f"score{i} label{i}", loss_weight=(0.5 + i,)))
    return NetSpec("random", tuple(layers))


LOSS_WITH_PROBABILITIES = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 4 dim: 4 } } }
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 2 dim: 1 dim: 4 dim: 4 } } }
layer { name: "score" type: "Convolution" bottom: "data" top: "score"
        convolution_param { num_output: 3 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" top: "prob" }
"""
