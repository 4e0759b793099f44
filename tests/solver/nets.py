"""A small net to train, its batches and its arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from fcnlite.formats.caffe import parse_net
from fcnlite.net import Net

NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 6 dim: 6 } } }
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 2 dim: 6 dim: 6 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        param { lr_mult: 1 decay_mult: 1 } param { lr_mult: 2 decay_mult: 0 }
        convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "drop" type: "Dropout" bottom: "conv" top: "conv" }
layer { name: "score" type: "Convolution" bottom: "conv" top: "score"
        convolution_param { num_output: 3 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "frozen" type: "Convolution" bottom: "score" top: "frozen" param { lr_mult: 0 } param { lr_mult: 0 }
        convolution_param { num_output: 3 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "frozen" bottom: "label" top: "loss" }
"""


def train_net(text: str = NET, **how: Any) -> Net:
    return Net(parse_net(text), phase="TRAIN", path="plain", **how)


def batch(seed: int = 0, size: int = 2) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {"data": rng.normal(size=(size, 3, 6, 6)), "label": rng.integers(0, 3, (size, 6, 6))}


def arrays(net: Net) -> dict[str, Any]:
    return {f"{name}[{i}]": each.array.copy() for name, ps in net.params.items() for i, each in enumerate(ps)}


def assert_equal(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert set(found) == set(expected)
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
