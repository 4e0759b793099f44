"""MobileNet v1 (Howard et al., 2017) and v2 (Sandler et al., 2018), at width 1."""

from __future__ import annotations

from benchmarks.nets.parts import activated, convolution, normalized
from fcnlite.description.spec import NetSpec
from fcnlite.models.builder import Builder

SEPARABLE = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))
"""The channels and the stride of each separable convolution of v1."""
RESIDUALS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""The expansion, the channels, the number and the first stride of the units of v2."""


def mobilenet_v1(classes: int) -> NetSpec:
    """From 224×224 pixels to the scores, `score`."""
    net = Builder("mobilenet-v1")
    bottom, before = activated(net, "conv1", net.input("data", 1, 3, 224, 224), 32, stride=2), 32
    for i, (count, stride) in enumerate(SEPARABLE, start=2):
        bottom = activated(net, f"conv{i}/dw", bottom, before, stride=stride, group=before)
        bottom, before = activated(net, f"conv{i}/sep", bottom, count, (1, 1)), count
    return _scored(net, bottom, classes)


def mobilenet_v2(classes: int) -> NetSpec:
    """From 224×224 pixels to the scores, `score`."""
    net = Builder("mobilenet-v2")
    bottom, before = activated(net, "conv1", net.input("data", 1, 3, 224, 224), 32, kind="ReLU6", stride=2), 32
    for i, (expansion, count, units, stride) in enumerate(RESIDUALS, start=2):
        for unit in range(units):
            name, short, inner = f"conv{i}_{unit}", bottom, expansion * before
            if expansion > 1:
                bottom = activated(net, f"{name}/expand", bottom, inner, (1, 1), "ReLU6")
            how = {"stride": stride if unit == 0 else 1, "group": inner}
            bottom = activated(net, f"{name}/dw", bottom, inner, kind="ReLU6", **how)
            bottom = convolution(net, f"{name}/linear", bottom, count, (1, 1), bias=False)
            bottom, before = normalized(net, f"{name}/linear", bottom), count
            if unit:
                bottom = net.fuse(f"{name}/sum", short, bottom)
    return _scored(net, activated(net, "conv9", bottom, 1280, (1, 1), "ReLU6"), classes)


def _scored(net: Builder, bottom: str, classes: int) -> NetSpec:
    """The net with its last layers, as Caffe's ports have them."""
    bottom = net.add("pool", "Pooling", bottom, pool="AVE", global_pooling=True)
    net.convolution("score", bottom, classes, 1)
    return net.spec()
