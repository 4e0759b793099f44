"""VGG-16 (Simonyan and Zisserman, 2015) and the FCNs on it (paper, sections 4.1, 4.2 and 5; the FCN reference's nets).

The trunk and its fully connected layers are here; skips, crops and upsampling are in fcn.py. docs/reading/net.md lists
FCN-8s layer by layer. Names, options and multipliers are those of the published prototxts, so that published weights
match by name. `width` is a factor on all channel counts except the scores'.
"""

from __future__ import annotations

from fcnlite.description.spec import NetSpec
from fcnlite.models import fcn
from fcnlite.models.builder import Builder, channels

STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""The channels and the number of 3×3 convolutions of each stage; each stage ends with a pooling."""


def vgg16(name: str, classes: int, width: float, normalization: str | None) -> NetSpec:
    """The classifier: from 224×224 pictures to class probabilities."""
    net = Builder(name)
    data = net.input("data", 1, 3, 224, 224)
    label = net.input("label", 1)
    bottom = _trunk(net, data, width, first_pad=1)
    for i in (6, 7):
        bottom = net.inner_product(f"fc{i}", bottom, channels(4096, width))
        net.relu(f"relu{i}", bottom)
        net.dropout(f"drop{i}", bottom)
    score = net.inner_product("fc8", bottom, classes)
    net.add("prob", "Softmax", score)
    net.loss("loss", score, label, normalization)
    return net.spec()


def fcn_of_stride(
    name: str, classes: int, width: float, normalization: str | None, *, stride: int, at_once: bool = False
) -> NetSpec:
    """FCN-32s, FCN-16s or FCN-8s, by the stride of its finest scores."""
    net = fcn.begin(name, data=3, label=1)
    score = net.score("score_fr", _features(net, "data", width), classes)
    score = fcn.head(net, score, classes, stride=stride, at_once=at_once)
    fcn.pixel_loss(net, score, "label", normalization)
    return net.spec()


def two_heads(
    name: str, semantic: int, geometric: int, width: float, normalization: str | None, *, stride: int
) -> NetSpec:
    """SIFT Flow's nets: semantic (`sem`) and geometric (`geo`) labels from the same features."""
    net = fcn.begin(name, data=3, sem=1, geo=1)
    bottom = _features(net, "data", width)
    for label, classes, loss in (("sem", semantic, "loss"), ("geo", geometric, "loss_geo")):
        score = net.score(f"score_fr_{label}", bottom, classes)
        score = fcn.head(net, score, classes, stride=stride, suffix=f"_{label}")
        fcn.pixel_loss(net, score, label, normalization, name=loss)
    return net.spec()


def early_fusion(name: str, classes: int, width: float, normalization: str | None) -> NetSpec:
    """NYUDv2's FCN-32s on color and depth, concatenated into one input with four channels."""
    net = fcn.begin(name, color=3, depth=1, label=1)
    data = net.add("data", "Concat", ("color", "depth"))
    score = net.score("score_fr", _features(net, data, width, first="conv1_1_bgrd"), classes)
    fcn.pixel_loss(net, fcn.head(net, score, classes), "label", normalization)
    return net.spec()


def late_fusion(
    name: str, classes: int, width: float, normalization: str | None, *, second: str = "hha", channels: int = 3
) -> NetSpec:
    """NYUDv2's FCN-32s with one trunk on color and one on HHA (disparity, height, angle); their scores are averaged.

    `second` is the name of the other picture, and `channels` the number of its channels.
    """
    net = fcn.begin(name, **{"color": 3, second: channels, "label": 1})
    scores = [
        net.score(f"score_fr{picture}", _features(net, picture, width, suffix=picture), classes)
        for picture in ("color", second)
    ]
    score = net.fuse("score_fused", *scores, coeff=[0.5, 0.5])
    fcn.pixel_loss(net, fcn.head(net, score, classes, picture="color"), "label", normalization)
    return net.spec()


def _trunk(net: Builder, bottom: str, width: float, *, first_pad: int, suffix: str = "", first: str = "conv1_1") -> str:
    """Add conv1_1 (under the name `first`) to pool5, with `suffix` appended to all names."""
    for stage, (count, convolutions) in enumerate(STAGES, start=1):
        for i in range(1, convolutions + 1):
            name, pad = (first, first_pad) if stage == i == 1 else (f"conv{stage}_{i}", 1)
            bottom = net.convolution(f"{name}{suffix}", bottom, channels(count, width), 3, pad=pad, stride=1)
            net.relu(f"relu{stage}_{i}{suffix}", bottom)
        bottom = net.pool(f"pool{stage}{suffix}", bottom, 2, 2)
    return bottom


def _features(net: Builder, picture: str, width: float, *, suffix: str = "", first: str = "conv1_1") -> str:
    """Add the whole net except its classifier as convolutions: fc6 and fc7 slide over the picture."""
    bottom = _trunk(net, picture, width, first_pad=fcn.PAD, suffix=suffix, first=first)
    for i, kernel_size in ((6, 7), (7, 1)):
        bottom = net.convolution(f"fc{i}{suffix}", bottom, channels(4096, width), kernel_size, pad=0, stride=1)
        net.relu(f"relu{i}{suffix}", bottom)
        net.dropout(f"drop{i}{suffix}", bottom)
    return bottom
