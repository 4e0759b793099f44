"""VGG-16 (Simonyan and Zisserman, 2015) and the FCNs on it (paper, sections 4.1 and 4.2; the FCN reference's nets).

Names, options and multipliers are those of the published prototxts, so that published weights fit by name. `width` is
a factor on all channel counts but the scores'.
"""

from __future__ import annotations

from fcnlite.models.builder import LEARNED, Builder
from fcnlite.spec import NetSpec

STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""Channels and number of 3×3 convolutions of each stage; a pooling ends each."""


def channels(count: int, width: float) -> int:
    """A channel count at this width; at least 1."""
    return max(1, round(count * width))


def trunk(net: Builder, bottom: str, width: float, first_pad: int) -> str:
    """conv1_1 to pool5. The FCNs pad the picture by 100 at conv1_1, so that any size gives at least one score."""
    for stage, (count, convolutions) in enumerate(STAGES, start=1):
        for i in range(1, convolutions + 1):
            pad = first_pad if stage == i == 1 else 1
            bottom = net.convolution(f"conv{stage}_{i}", bottom, channels(count, width), 3, pad=pad)
            net.relu(f"relu{stage}_{i}", bottom)
        bottom = net.max_pool(f"pool{stage}", bottom)
    return bottom


def vgg16(classes: int, width: float, normalization: str | None) -> NetSpec:
    """The classifier: 224×224 pictures to class probabilities."""
    net = Builder("vgg16")
    data = net.input("data", 1, 3, 224, 224)
    label = net.input("label", 1)
    bottom = trunk(net, data, width, first_pad=1)
    for name, relu, drop in (("fc6", "relu6", "drop6"), ("fc7", "relu7", "drop7")):
        bottom = net.add(name, "InnerProduct", bottom, param=LEARNED, num_output=channels(4096, width))
        net.relu(relu, bottom)
        net.dropout(drop, bottom)
    score = net.add("fc8", "InnerProduct", bottom, param=LEARNED, num_output=classes)
    net.add("prob", "Softmax", score)
    if normalization:
        net.add("loss", "SoftmaxWithLoss", (score, label), normalization=normalization)
    else:
        net.add("loss", "SoftmaxWithLoss", (score, label))
    return net.spec()


def fcn(stride: int, classes: int, width: float, normalization: str | None) -> NetSpec:
    """FCN-32s, FCN-16s or FCN-8s, by the stride of its finest scores."""
    net = Builder(f"voc-fcn{stride}s")
    data = net.input("data", 1, 3, 500, 500)
    label = net.input("label", 1, 1, 500, 500)
    bottom = trunk(net, data, width, first_pad=100)
    for name, kernel_size, relu, drop in (("fc6", 7, "relu6", "drop6"), ("fc7", 1, "relu7", "drop7")):
        bottom = net.convolution(name, bottom, channels(4096, width), kernel_size)
        net.relu(relu, bottom)
        net.dropout(drop, bottom)
    score = net.score("score_fr", bottom, classes)
    skips = {32: (), 16: ("pool4",), 8: ("pool4", "pool3")}[stride]
    upsampled = "upscore2"
    for pool in skips:
        coarse = net.upsample(upsampled, score, classes, 2)
        skip = net.score(f"score_{pool}", pool, classes)
        skip = net.crop(f"score_{pool}c", skip, coarse)
        score = net.fuse(f"fuse_{pool}", coarse, skip)
        upsampled = f"upscore_{pool}"
    whole = net.upsample(f"upscore{stride}" if skips else "upscore", score, classes, stride)
    score = net.crop("score", whole, data)
    net.loss(score, label, normalization)
    return net.spec()
