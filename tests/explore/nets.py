"""A small FCN with two skips, a pad, a pooling of each kind, groups, dilation, and learned upsampling."""

from __future__ import annotations

import numpy as np

from fcnlite.description.model_info import ModelInfo, Preprocessing
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.net import Net

CLASSES = ("sky", "grass", "cow")
COLORS = ((9, 9, 200), (9, 200, 9), (90, 50, 9))


def skip_net() -> Net:
    """The net, with random parameters."""

    def layer(name: str, kind: str, bottom: str, top: str = "", **options: object) -> LayerSpec:
        return LayerSpec(name, kind, tuple(bottom.split()), (top or name,), options)

    bilinear = {"num_output": 3, "kernel_size": [4], "stride": [2]}
    layers = (
        LayerSpec("data", "Input", (), ("data",), {"shape": [{"dim": [1, 3, 24, 24]}]}),
        layer("conv1", "Convolution", "data", num_output=8, kernel_size=[3], pad=[9]),
        layer("relu1", "ReLU", "conv1", "conv1"),
        layer("pool1", "Pooling", "conv1", pool="MAX", kernel_size=3, stride=2, pad=1),
        layer("conv2", "Convolution", "pool1", num_output=8, kernel_size=[3], pad=[2], dilation=[2], group=2),
        layer("relu2", "ReLU", "conv2", "conv2"),
        layer("pool2", "Pooling", "conv2", pool="AVE", kernel_size=3, stride=2, pad=1),
        layer("score_fr", "Convolution", "pool2", num_output=3, kernel_size=[1]),
        layer("upscore2", "Deconvolution", "score_fr", **bilinear),
        layer("score_pool1", "Convolution", "pool1", num_output=3, kernel_size=[1]),
        layer("upscore2c", "Crop", "upscore2 score_pool1", offset=[1]),
        layer("fuse_pool1", "Eltwise", "upscore2c score_pool1"),
        layer("upscore", "Deconvolution", "fuse_pool1", **bilinear),
        layer("score", "Crop", "upscore data", offset=[5, 6]),
    )
    net = Net(
        NetSpec("skips", layers),
        info=ModelInfo(
            Preprocessing(mean=(100.0, 110.0, 120.0), scale=0.05), CLASSES, ((9, 9, 200), (9, 200, 9), (90, 50, 9))
        ),
    )
    rng = np.random.default_rng(0)
    for parameters in net.params.values():
        for parameter in parameters:
            parameter.data[...] = rng.normal(0, 0.4, parameter.array.shape)
    return net
