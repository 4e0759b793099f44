"""DeepLab-LargeFOV on VGG-16 (Chen et al., 2015): an FCN that replaces poolings by dilation.

It is as published, without Dropout: poolings have 3×3 windows, the last ones keep the size, and scores have an eighth
of the picture's height and width.
"""

from __future__ import annotations

from fcnlite.description.spec import NetSpec
from fcnlite.models.builder import Builder, channels
from fcnlite.models.vgg import STAGES

FC6_DILATION = 12


def largefov(classes: int, width: float = 1) -> NetSpec:
    """The net up to its scores, `score`."""
    net = Builder("deeplab-largefov")
    bottom = net.input("data", 1, 3, 513, 513)
    for stage, (count, convolutions) in enumerate(STAGES, start=1):
        dilation, stride = 2 if stage == 5 else 1, 2 if stage < 4 else 1
        for i in range(1, convolutions + 1):
            bottom = _rectified(net, f"conv{stage}_{i}", bottom, channels(count, width), dilation=dilation)
        bottom = net.pool(f"pool{stage}", bottom, 3, stride, pad=1)
    bottom = net.pool("pool5a", bottom, 3, 1, pool="AVE", pad=1)
    bottom = _rectified(net, "fc6", bottom, channels(1024, width), dilation=FC6_DILATION)
    bottom = _rectified(net, "fc7", bottom, channels(1024, width), 1)
    net.score("score", bottom, classes)
    return net.spec()


def _rectified(net: Builder, name: str, bottom: str, count: int, kernel_size: int = 3, dilation: int = 1) -> str:
    """Add a convolution that keeps the size, and its ReLU."""
    how = {"pad": kernel_size // 2 * dilation, "dilation": [dilation], "weight_filler": {"type": "msra"}}
    return net.relu(f"relu_{name}", net.convolution(name, bottom, count, kernel_size, **how))
