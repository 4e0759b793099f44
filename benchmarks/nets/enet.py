"""ENet (Paszke et al., 2016), as its port to Caffe, and ERFNet (Romera et al., 2018)."""

from __future__ import annotations

from benchmarks.nets.parts import activated, convolution, deconvolution, normalized, pooled_with_places
from fcnlite.description.spec import NetSpec
from fcnlite.models.builder import Builder

KINDS = ("plain", "dilated2", "asymmetric", "dilated4", "plain", "dilated8", "asymmetric", "dilated16")
"""The bottlenecks of stages 2 and 3 of ENet."""
DILATIONS = (2, 4, 8, 16) * 2
"""The dilations of the units on ERFNet's smallest maps."""


def enet(classes: int) -> NetSpec:
    """From pictures whose sides are multiples of 8 to the scores of each pixel, `score`."""
    net = Builder("enet")
    data = net.input("data", 1, 3, 256, 512)
    half = convolution(net, "initial/conv", data, 13, stride=2)
    bottom = net.add("initial", "Concat", (half, net.pool("initial/pool", data, 2, 2)))
    bottom = _rectified(net, "initial", normalized(net, "initial", bottom))
    bottom, places1 = _down(net, "stage1_0", bottom, 16, 64)
    for i in range(1, 5):
        bottom = _bottleneck(net, f"stage1_{i}", bottom, 64, "plain")
    bottom, places2 = _down(net, "stage2_0", bottom, 64, 128)
    for stage in (2, 3):
        for i, kind in enumerate(KINDS, start=1):
            bottom = _bottleneck(net, f"stage{stage}_{i}", bottom, 128, kind)
    bottom = _up(net, "stage4_0", bottom, places2, 64)
    for i in (1, 2):
        bottom = _bottleneck(net, f"stage4_{i}", bottom, 64, "plain")
    bottom = _up(net, "stage5_0", bottom, places1, 16)
    bottom = _bottleneck(net, "stage5_1", bottom, 16, "plain")
    deconvolution(net, "score", bottom, classes, 2)
    return net.spec()


def erfnet(classes: int) -> NetSpec:
    """From pictures whose sides are multiples of 8 to the scores of each pixel, `score`."""
    net = Builder("erfnet")
    bottom = _downsampler(net, "down1", net.input("data", 1, 3, 256, 512), 3, 16)
    bottom = _downsampler(net, "down2", bottom, 16, 64)
    for i in range(5):
        bottom = _one_dimensional(net, f"encoder1_{i}", bottom, 64)
    bottom = _downsampler(net, "down3", bottom, 64, 128)
    for i, dilation in enumerate(DILATIONS):
        bottom = _one_dimensional(net, f"encoder2_{i}", bottom, 128, dilation)
    for stage, count in ((1, 64), (2, 16)):
        bottom = normalized(net, f"up{stage}", deconvolution(net, f"up{stage}", bottom, count, 4, bias=False))
        bottom = net.relu(f"up{stage}/relu", bottom)
        for i in range(2):
            bottom = _one_dimensional(net, f"decoder{stage}_{i}", bottom, count)
    deconvolution(net, "score", bottom, classes, 2)
    return net.spec()


def _rectified(net: Builder, name: str, bottom: str) -> str:
    return net.add(f"{name}/prelu", "PReLU", bottom, top=bottom)


def _bottleneck(net: Builder, name: str, bottom: str, count: int, kind: str) -> str:
    """Add a bottleneck of ENet beside the identity, with a quarter of the channels."""
    inner = activated(net, f"{name}/reduce", bottom, count // 4, (1, 1), "PReLU")
    if kind == "asymmetric":
        inner = convolution(net, f"{name}/column", inner, count // 4, (5, 1), bias=False)
        inner = activated(net, f"{name}/row", inner, count // 4, (1, 5), "PReLU")
    else:
        dilation = int(kind.removeprefix("dilated")) if kind != "plain" else 1
        inner = activated(net, f"{name}/conv", inner, count // 4, kind="PReLU", dilation=dilation)
    inner = convolution(net, f"{name}/expand", inner, count, (1, 1), bias=False)
    return _rectified(net, name, net.fuse(name, bottom, normalized(net, f"{name}/expand", inner)))


def _down(net: Builder, name: str, bottom: str, before: int, count: int) -> tuple[str, str]:
    """Add a bottleneck that halves the size; returns its top and the places of the pooling."""
    inner = activated(net, f"{name}/reduce", bottom, count // 4, (2, 2), "PReLU", stride=2, pad=False)
    inner = activated(net, f"{name}/conv", inner, count // 4, kind="PReLU")
    inner = normalized(net, f"{name}/expand", convolution(net, f"{name}/expand", inner, count, (1, 1), bias=False))
    pooled, places = pooled_with_places(net, f"{name}/pool", bottom)
    short = convolution(net, f"{name}/short", pooled, count, (1, 1), bias=False)
    return _rectified(net, name, net.fuse(name, normalized(net, f"{name}/short", short), inner)), places


def _up(net: Builder, name: str, bottom: str, places: str, count: int) -> str:
    """Add a bottleneck that doubles the size, in its shortcut by max unpooling."""
    inner = activated(net, f"{name}/reduce", bottom, count // 4, (1, 1), "PReLU")
    inner = deconvolution(net, f"{name}/deconv", inner, count // 4, 2, bias=False)
    inner = _rectified(net, f"{name}/deconv", normalized(net, f"{name}/deconv", inner))
    inner = normalized(net, f"{name}/expand", convolution(net, f"{name}/expand", inner, count, (1, 1), bias=False))
    short = convolution(net, f"{name}/short", bottom, count, (1, 1), bias=False)
    short = net.add(f"{name}/unpool", "Upsample", (normalized(net, f"{name}/short", short), places), scale=2)
    return _rectified(net, name, net.fuse(name, short, inner))


def _downsampler(net: Builder, name: str, bottom: str, before: int, count: int) -> str:
    """Add ERFNet's halving of the size: a convolution of stride 2 beside a pooling."""
    half = convolution(net, f"{name}/conv", bottom, count - before, stride=2)
    both = net.add(name, "Concat", (half, net.pool(f"{name}/pool", bottom, 2, 2)))
    return net.relu(f"{name}/relu", normalized(net, name, both))


def _one_dimensional(net: Builder, name: str, bottom: str, count: int, dilation: int = 1) -> str:
    """Add ERFNet's unit: two pairs of 3×1 and 1×3 convolutions, the second dilated, beside the identity."""
    inner = bottom
    for part, spread in (("a", 1), ("b", dilation)):
        inner = convolution(net, f"{name}/{part}_column", inner, count, (3, 1), dilation=spread)
        inner = net.relu(f"{name}/{part}_relu", inner)
        inner = convolution(net, f"{name}/{part}_row", inner, count, (1, 3), dilation=spread, bias=False)
        inner = normalized(net, f"{name}/{part}_row", inner)
        if part == "a":
            inner = net.relu(f"{name}/{part}_row/relu", inner)
    return net.relu(f"{name}/relu", net.fuse(name, inner, bottom))
