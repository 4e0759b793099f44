"""The parts that the FCN reference's nets share: skips, upsampling and loss (paper, sections 4.1 and 4.2).

Names and options are those of the published prototxts.
"""

from __future__ import annotations

from fcnlite.models.builder import FIXED, Builder

PAD = 100
"""The pad of the first convolution, with which a picture of any size gives at least one score. FCN-32s could be aligned
with the picture from a pad of 81 on, so that 100 leaves a crop of 19."""

_SKIPS = {32: (), 16: ("pool4",), 8: ("pool4", "pool3")}
"""The blobs that are scored and fused, from coarse to fine, by the stride of the finest scores."""
_FACTORS = {"pool4": 0.01, "pool3": 0.0001}
"""Factors on the skips' features that give all about equal norms, for training all skips at once (FCN reference)."""


def begin(name: str, **channels: int) -> Builder:
    """Begin a net with inputs of these numbers of channels; their size is an example, and any other works."""
    net = Builder(name)
    for blob, count in channels.items():
        net.input(blob, 1, count, 500, 500)
    return net


def head(
    net: Builder,
    score: str,
    classes: int,
    *,
    picture: str = "data",
    stride: int = 32,
    at_once: bool = False,
    kernel_size: int | None = None,
    suffix: str = "",
) -> str:
    """Add the layers from the coarsest scores to scores of every pixel of `picture`.

    `stride` (32, 16 or 8) determines the skips; `at_once` scales their features down. `kernel_size` is that of the last
    upsampling (default: 2·stride). `suffix` is appended to the names of layers.
    """
    upsampled = "upscore2"
    for pool in _SKIPS[stride]:
        coarse = net.upsample(f"{upsampled}{suffix}", score, classes, 2)
        features = pool
        if at_once:
            filler = {"type": "constant", "value": _FACTORS[pool]}
            features = net.add(f"scale_{pool}", "Scale", pool, param=FIXED, filler=filler)
        skip = net.score(f"score_{pool}{suffix}", features, classes)
        skip = net.crop(f"score_{pool}{suffix}c", skip, coarse)
        score = net.fuse(f"fuse_{pool}{suffix}", coarse, skip)
        upsampled = f"upscore_{pool}"
    last = f"upscore{stride}" if _SKIPS[stride] else "upscore"
    whole = net.upsample(f"{last}{suffix}", score, classes, stride, kernel_size)
    return net.crop(f"score{suffix}", whole, picture)


def pixel_loss(
    net: Builder, score: str, label: str, normalization: str | None, *, name: str = "loss", normalize: bool = False
) -> str:
    """Add a softmax loss over all pixels except void (255); a sum over each picture unless normalised."""
    return net.loss(name, score, label, normalization, normalize=normalize, ignore_label=255)
