"""U-Net (Ronneberger et al., 2015), and SegNet-basic (Badrinarayanan et al., 2017)."""

from __future__ import annotations

from benchmarks.nets.parts import activated, convolution, deconvolution, pooled_with_places
from fcnlite.description.spec import NetSpec
from fcnlite.models.builder import Builder

LEVELS = (64, 128, 256, 512, 1024)
"""The channels of U-Net's levels, from fine to coarse."""
WINDOW = (7, 7)
"""SegNet-basic's windows."""


def unet(classes: int) -> NetSpec:
    """From 572×572 pixels to the scores of the inner 388×388, `score`; convolutions have no pad."""
    net = Builder("u-net")
    bottom, skips = net.input("data", 1, 3, 572, 572), []
    for level, count in enumerate(LEVELS):
        if level:
            bottom = net.pool(f"pool{level}", bottom, 2, 2)
        bottom = _twice(net, f"down{level}", bottom, count)
        skips.append(bottom)
    for level, count in reversed(list(enumerate(LEVELS[:-1]))):
        bottom = net.relu(f"up{level}/relu", deconvolution(net, f"up{level}", bottom, count))
        skip = net.crop(f"crop{level}", skips[level], bottom)
        bottom = _twice(net, f"up{level}/conv", net.add(f"concat{level}", "Concat", (skip, bottom)), count)
    net.score("score", bottom, classes)
    return net.spec()


def segnet_basic(classes: int) -> NetSpec:
    """From 360×480 pixels to the scores of each, `score`; the decoder puts values at the places of the maxima."""
    net = Builder("segnet-basic")
    bottom, places, size = net.input("data", 1, 3, 360, 480), [], (360, 480)
    sizes = []
    for i in range(1, 5):
        bottom, mask = pooled_with_places(net, f"pool{i}", activated(net, f"conv{i}", bottom, 64, WINDOW))
        places.append(mask)
        sizes.append(size)
        size = (-(-size[0] // 2), -(-size[1] // 2))
    for i in reversed(range(1, 5)):
        height, width = sizes[i - 1]
        bottom = net.add(f"upsample{i}", "Upsample", (bottom, places[i - 1]), upsample_h=height, upsample_w=width)
        bottom = activated(net, f"decode{i}", bottom, 64, WINDOW)
    net.score("score", bottom, classes)
    return net.spec()


def _twice(net: Builder, name: str, bottom: str, count: int) -> str:
    for part in ("a", "b"):
        bottom = net.relu(f"{name}{part}/relu", convolution(net, f"{name}{part}", bottom, count, pad=False))
    return bottom
