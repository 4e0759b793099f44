"""`lite-unet`: a U-Net (Ronneberger, Fischer and Brox, 2015) of any input size.

Five stages of two 3×3 convolutions each, joined by max pooling on the way down; on the way up each stage reads the
upsampled maps of the coarser one beside its own of the way down. Unlike the paper's, convolutions are padded and batch
normalised, so that scores have the picture's size, and upsampling is bilinear and fixed, with a convolution behind it.
"""

from __future__ import annotations

from fcnlite.description.spec import NetSpec
from fcnlite.models import fcn
from fcnlite.models.builder import Builder, channels
from fcnlite.models.lite import normalized, upsample

STAGES = (64, 128, 256, 512, 1024)
"""Channels at each stride from 1 to 16, at width 1."""


def lite_unet(name: str, classes: int, width: float, normalization: str | None) -> NetSpec:
    """The net with `width` times the channels of `STAGES`."""
    net = Builder(name)
    data = net.input("data", 1, 3, 224, 224)
    label = net.input("label", 1, 1, 224, 224)
    counts = [channels(count, width) for count in STAGES]
    bottom = data
    features: list[str] = []
    for stage, count in enumerate(counts, start=1):
        if features:
            bottom = net.pool(f"pool{stage - 1}", bottom, 2, 2)
        for i in (1, 2):
            bottom = normalized(net, f"{stage}_{i}", bottom, count, 3)
        features.append(bottom)
    for stage in range(len(counts) - 1, 0, -1):
        count, fine = counts[stage - 1], features[stage - 1]
        up = upsample(net, f"up{stage}", bottom, counts[stage], 2)
        up = normalized(net, f"{stage}_up", net.crop(f"up{stage}c", up, fine), count, 1)
        bottom = net.add(f"concat{stage}", "Concat", (fine, up))
        for i in (3, 4):
            bottom = normalized(net, f"{stage}_{i}", bottom, count, 3)
    fcn.pixel_loss(net, net.score("score", bottom, classes), label, normalization or "VALID")
    return net.spec()
