"""`lite-dilated`: residual blocks at a stride of 8, for training from scratch on few pictures.

Three times max pooling leads to a stride of 8. There the trunk stays, and dilated convolutions widen its field instead
of more pooling (Yu and Koltun, 2016), in the residual blocks of He et al. (2016): two 3×3 convolutions with batch
normalisation, to which the block's input is added. Scores at strides of 8, 4 and 2 are fused as in FCN-8s.
"""

from __future__ import annotations

from fcnlite.description.spec import NetSpec
from fcnlite.models import fcn
from fcnlite.models.builder import Builder, channels
from fcnlite.models.lite import add_scores, normalized

STAGES = (48, 96, 192, 384)
"""Channels at strides of 1, 2, 4 and 8, at width 1."""
DILATIONS = {2: ((1, 1), (1, 1)), 3: ((1, 2), (1, 4), (1, 8), (1, 16), (2, 4))}
"""The dilations of both convolutions of each residual block of a stage; stage s has a stride of 2ˢ."""
SKIPS = {1: 64, 2: 192}
"""Channels of the 3×3 convolution from which a skip is scored, at width 1."""


def lite_dilated(name: str, classes: int, width: float, normalization: str | None) -> NetSpec:
    """The net with `width` times the channels of `STAGES` and `SKIPS`."""
    net = Builder(name)
    bottom = data = net.input("data", 1, 3, 224, 224)
    label = net.input("label", 1, 1, 224, 224)
    features = {}
    for stage, count in enumerate(STAGES):
        if stage:
            bottom = net.pool(f"pool{stage}", bottom, 2, 2)
        bottom = normalized(net, str(stage), bottom, channels(count, width), 3)
        for i, pair in enumerate(DILATIONS.get(stage, ()), start=1):
            bottom = _block(net, f"{stage}_{i}", bottom, channels(count, width), pair)
        features[stage] = bottom
    for stage, count in SKIPS.items():
        features[stage] = normalized(net, f"{stage}_skip", features[stage], channels(count, width), 3)
    score = add_scores(net, {stage: features[stage] for stage in (3, 2, 1)}, classes, data)
    fcn.pixel_loss(net, score, label, normalization or "VALID")
    return net.spec()


def _block(net: Builder, name: str, bottom: str, count: int, dilations: tuple[int, int]) -> str:
    """Add a residual block: relu(x + normalised convolution of relu(normalised convolution of x))."""
    first, second = dilations
    top = normalized(net, f"{name}a", bottom, count, 3, dilation=first)
    top = normalized(net, f"{name}b", top, count, 3, dilation=second, relu=False)
    return net.relu(f"relu{name}", net.fuse(f"sum{name}", bottom, top))
