"""GoogLeNet (Szegedy et al., 2015) as Caffe publishes it, and an FCN-32s on it (paper, section 4.1).

Names, options and multipliers are those of bvlc_googlenet, except that the layers of the auxiliary heads come after the
trunk and are in the net only in phase TRAIN. `width` is a factor on all channel counts except the scores'.
"""

from __future__ import annotations

from typing import Any

from fcnlite.description.spec import NetSpec
from fcnlite.models import fcn
from fcnlite.models.builder import Builder, channels

_INCEPTIONS = {
    # outputs of 1x1, 3x3_reduce, 3x3, 5x5_reduce, 5x5, pool_proj
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
_POOLED = {"3b": "pool3/3x3_s2", "4e": "pool4/3x3_s2"}
"""The poolings that follow modules."""


def googlenet(name: str, classes: int, width: float, normalization: str | None) -> NetSpec:
    """The classifier: from 224×224 pictures to class probabilities."""
    net = Builder(name)
    data = net.input("data", 1, 3, 224, 224)
    label = net.input("label", 1)
    bottom = _trunk(net, data, width, first_pad=3)
    with net.only("TRAIN"):
        for block, source in (("loss1", "inception_4a/output"), ("loss2", "inception_4d/output")):
            score = _auxiliary_score(net, block, source, classes, width)
            net.loss(f"{block}/loss", score, label, normalization, top=f"{block}/{block}", loss_weight=(0.3,))
    bottom = net.pool("pool5/7x7_s1", bottom, 7, 1, pool="AVE")
    net.dropout("pool5/drop_7x7_s1", bottom, 0.4)
    score = net.inner_product("loss3/classifier", bottom, classes, **_xavier(0.0))
    net.add("prob", "Softmax", score)
    net.loss("loss3/loss3", score, label, normalization, loss_weight=(1.0,))
    return net.spec()


def fcn_googlenet(name: str, classes: int, width: float, normalization: str | None) -> NetSpec:
    """FCN-32s: scores replace the average pooling and the classifier, without auxiliary heads.

    No prototxt of this net is published; the rest follows the FCN reference's nets.
    """
    net = fcn.begin(name, data=3, label=1)
    score = net.score("score_fr", _trunk(net, "data", width, first_pad=fcn.PAD), classes)
    # With this trunk, an even kernel_size would shift the scores by half a pixel.
    fcn.pixel_loss(net, fcn.head(net, score, classes, kernel_size=63), "label", normalization)
    return net.spec()


def _trunk(net: Builder, bottom: str, width: float, *, first_pad: int) -> str:
    """Add conv1 to the last inception module."""
    bottom = _convolution(net, "conv1", "7x7_s2", bottom, channels(64, width), 7, pad=first_pad, stride=2)
    bottom = net.lrn("pool1/norm1", net.pool("pool1/3x3_s2", bottom, 3, 2))
    bottom = _convolution(net, "conv2", "3x3_reduce", bottom, channels(64, width), 1)
    bottom = _convolution(net, "conv2", "3x3", bottom, channels(192, width), 3, pad=1)
    bottom = net.pool("pool2/3x3_s2", net.lrn("conv2/norm2", bottom), 3, 2)
    for module, counts in _INCEPTIONS.items():
        bottom = _inception(net, f"inception_{module}", bottom, [channels(each, width) for each in counts])
        if module in _POOLED:
            bottom = net.pool(_POOLED[module], bottom, 3, 2)
    return bottom


def _inception(net: Builder, block: str, bottom: str, counts: list[int]) -> str:
    """Add four parallel branches, concatenated along the channels; `counts` in the order of the table."""
    ones, reduced3, threes, reduced5, fives, projected = counts
    ways = [_convolution(net, block, "1x1", bottom, ones, 1)]
    for name, reduced, count, kernel_size in (("3x3", reduced3, threes, 3), ("5x5", reduced5, fives, 5)):
        narrow = _convolution(net, block, f"{name}_reduce", bottom, reduced, 1)
        ways.append(_convolution(net, block, name, narrow, count, kernel_size, pad=kernel_size // 2))
    pooled = net.pool(f"{block}/pool", bottom, 3, 1, pad=1)
    ways.append(_convolution(net, block, "pool_proj", pooled, projected, 1))
    return net.add(f"{block}/output", "Concat", ways)


def _auxiliary_score(net: Builder, block: str, bottom: str, classes: int, width: float) -> str:
    """Add class scores from the middle of the trunk; their loss helps the layers below to learn."""
    bottom = net.pool(f"{block}/ave_pool", bottom, 5, 3, pool="AVE")
    bottom = _convolution(net, block, "conv", bottom, channels(128, width), 1)
    bottom = net.inner_product(f"{block}/fc", bottom, channels(1024, width), **_xavier(0.2))
    net.relu(f"{block}/relu_fc", bottom)
    net.dropout(f"{block}/drop_fc", bottom, 0.7)
    return net.inner_product(f"{block}/classifier", bottom, classes, **_xavier(0.0))


def _convolution(
    net: Builder,
    block: str,
    name: str,
    bottom: str,
    num_output: int,
    kernel_size: int,
    *,
    pad: int | None = None,
    stride: int | None = None,
) -> str:
    """Add a convolution and its ReLU with the names of the published net."""
    top = net.convolution(f"{block}/{name}", bottom, num_output, kernel_size, pad=pad, stride=stride, **_xavier(0.2))
    return net.relu(f"{block}/relu_{name.removesuffix('_s2')}", top)


def _xavier(bias: float) -> dict[str, Any]:
    """The fillers of weight and bias."""
    return {"weight_filler": {"type": "xavier"}, "bias_filler": {"type": "constant", "value": bias}}
