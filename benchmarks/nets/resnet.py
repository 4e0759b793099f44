"""ResNet-50 (He et al., 2016), and PSPNet on it (Zhao et al., 2017)."""

from __future__ import annotations

from benchmarks.nets.parts import activated, convolution, normalized
from fcnlite.description.spec import NetSpec
from fcnlite.models.builder import Builder

STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))
"""The channels of the middle convolution and the number of units of each stage."""
BINS = (1, 2, 3, 6)
"""The numbers of windows along a side in PSPNet's pyramid."""


def resnet50(classes: int) -> NetSpec:
    """From 224×224 pixels to the scores, `score`."""
    net = Builder("resnet-50")
    bottom = activated(net, "conv1", net.input("data", 1, 3, 224, 224), 64, (7, 7), stride=2)
    bottom = net.pool("pool1", bottom, 3, 2)
    for stage, (count, units) in enumerate(STAGES, start=2):
        for unit in range(units):
            bottom = _unit(net, f"res{stage}_{unit}", bottom, count, first=unit == 0, stride=2 if stage > 2 else 1)
    bottom = net.add("pool5", "Pooling", bottom, pool="AVE", global_pooling=True)
    net.inner_product("score", bottom, classes)
    return net.spec()


def pspnet50(classes: int) -> NetSpec:
    """From 473×473 pixels to the scores of each pixel, `score`; the last two stages are dilated."""
    net = Builder("pspnet-50")
    bottom = activated(net, "conv1_1", net.input("data", 1, 3, 473, 473), 64, stride=2)
    bottom = activated(net, "conv1_2", bottom, 64)
    bottom = activated(net, "conv1_3", bottom, 128)
    bottom = net.pool("pool1", bottom, 3, 2, pad=1)
    for stage, (count, units) in enumerate(STAGES, start=2):
        for unit in range(units):
            how = {"stride": 2 if stage == 3 else 1, "dilation": {4: 2, 5: 4}.get(stage, 1)}
            bottom = _unit(net, f"res{stage}_{unit}", bottom, count, first=unit == 0, **how)
    parts = [bottom]
    for bins in BINS:
        window = -(-60 // bins)
        pooled = net.pool(f"pyramid{bins}", bottom, window, window, pool="AVE")
        pooled = activated(net, f"pyramid{bins}/conv", pooled, 512, (1, 1))
        parts.append(net.add(f"pyramid{bins}/interp", "Interp", pooled, height=60, width=60))
    bottom = activated(net, "conv5_4", net.add("pyramid", "Concat", parts), 512)
    low = net.convolution("score_low", bottom, classes, 1)
    net.add("score", "Interp", low, zoom_factor=8)
    return net.spec()


def _unit(net: Builder, name: str, bottom: str, count: int, *, first: bool, stride: int = 1, dilation: int = 1) -> str:
    """Add a bottleneck: 1×1, 3×3 and 1×1 convolutions, beside the identity or (`first`) a 1×1 convolution."""
    stride = stride if first else 1
    shortcut = bottom
    if first:
        shortcut = convolution(net, f"{name}/shortcut", bottom, 4 * count, (1, 1), stride=stride, bias=False)
        shortcut = normalized(net, f"{name}/shortcut", shortcut)
    bottom = activated(net, f"{name}/a", bottom, count, (1, 1), stride=stride)
    bottom = activated(net, f"{name}/b", bottom, count, dilation=dilation)
    bottom = convolution(net, f"{name}/c", bottom, 4 * count, (1, 1), bias=False)
    # A unit of a trained net changes its input a little. Larger changes would let rounding grow with depth.
    bottom = normalized(net, f"{name}/c", bottom, 0.25)
    return net.relu(f"{name}/relu", net.fuse(name, shortcut, bottom))
