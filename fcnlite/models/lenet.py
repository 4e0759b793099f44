"""LeNet (after LeCun et al., 1998) as Caffe publishes it for MNIST, with ReLU in place of the sigmoids."""

from __future__ import annotations

from typing import Any

from fcnlite.description.spec import NetSpec, ParamSpec
from fcnlite.models.builder import Builder, channels

_PARAM = (ParamSpec(lr_mult=1), ParamSpec(lr_mult=2))
_FILLERS: dict[str, Any] = {"weight_filler": {"type": "xavier"}, "bias_filler": {"type": "constant"}}


def lenet(name: str, classes: int, width: float, normalization: str | None) -> NetSpec:
    """From 28×28 gray pictures to class probabilities; `width` is a factor on all channel counts except the scores'."""
    net = Builder(name)
    bottom = net.input("data", 1, 1, 28, 28)
    label = net.input("label", 1)
    for i, count in ((1, 20), (2, 50)):
        bottom = net.convolution(f"conv{i}", bottom, channels(count, width), 5, stride=1, param=_PARAM, **_FILLERS)
        bottom = net.pool(f"pool{i}", bottom, 2, 2)
    bottom = net.inner_product("ip1", bottom, channels(500, width), param=_PARAM, **_FILLERS)
    net.relu("relu1", bottom)
    score = net.inner_product("ip2", bottom, classes, param=_PARAM, **_FILLERS)
    net.add("prob", "Softmax", score)
    net.loss("loss", score, label, normalization)
    return net.spec()
