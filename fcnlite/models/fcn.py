"""What the FCN reference's nets share, whatever their trunk: skips, upsampling, loss (paper, sections 4.1 and 4.2).

Names and options are those of the published prototxts.
"""

from __future__ import annotations

from fcnlite.models.builder import FIXED, Builder

PAD = 100
"""Of the picture at the first convolution, so that any size gives at least one score."""

_SKIPS = {32: (), 16: ("pool4",), 8: ("pool4", "pool3")}
"""By the stride of the finest scores: the blobs that are scored and fused in, coarse to fine."""
_FACTORS = {"pool4": 0.01, "pool3": 0.0001}
"""On a skip's features, where all skips are trained at once: about equal norms for all (FCN reference)."""


def begin(name: str, **channels: int) -> Builder:
    """A net with inputs of so many channels; their size is an example, any other works."""
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
    """From the coarsest scores to those of every pixel of `picture`, by the skips that `stride` (32, 16, 8) has.

    `at_once`: scale the skips' features down. `kernel_size` of the last upsampling: 2·stride unless given. `suffix`:
    of the names of layers.
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
    """Softmax loss over all pixels but the void ones, 255; a sum over each picture unless normalised."""
    return net.loss(name, score, label, normalization, normalize=normalize, ignore_label=255)
