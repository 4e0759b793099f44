"""AlexNet (Krizhevsky et al., 2012) as Caffe publishes it, its variant CaffeNet and the FCN (paper, section 4.1).

Names and multipliers are those of bvlc_alexnet, bvlc_reference_caffenet and voc-fcn-alexnet. `width` is a factor on all
channel counts except the scores'; those of the convolutions stay even, because they have 2 groups.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fcnlite.description.spec import NetSpec, ParamSpec
from fcnlite.models import fcn
from fcnlite.models.builder import LEARNED, Builder, channels

_CONVOLUTIONS = (
    # num_output, kernel_size, pad, stride, group
    (96, 11, 0, 4, 1),
    (256, 5, 2, 1, 2),
    (384, 3, 1, 1, 1),
    (384, 3, 1, 1, 2),
    (256, 3, 1, 1, 2),
)

Fillers = Mapping[str, Mapping[str, Any]]
"""The filler options of each layer."""


def alexnet(name: str, classes: int, width: float, normalization: str | None) -> NetSpec:
    """From 227×227 pictures to class probabilities; each LRN precedes its pooling."""
    return _classifier(name, classes, width, normalization, pool_first=False, bias=0.1)


def caffenet(name: str, classes: int, width: float, normalization: str | None) -> NetSpec:
    """From 227×227 pictures to class probabilities; each pooling precedes its LRN."""
    return _classifier(name, classes, width, normalization, pool_first=True, bias=1.0)


def fcn_alexnet(name: str, classes: int, width: float, normalization: str | None) -> NetSpec:
    """FCN-32s on CaffeNet's trunk. As published, the loss is normalised, and biases train like weights."""
    net = fcn.begin(name, data=3, label=1)
    bottom = _trunk(net, "data", width, first_pad=fcn.PAD, pool_first=True)
    for i, kernel_size in ((6, 6), (7, 1)):
        count = channels(4096, width)
        bottom = net.convolution(f"fc{i}", bottom, count, kernel_size, pad=0, stride=1, group=1, param=())
        net.relu(f"relu{i}", bottom)
        net.dropout(f"drop{i}", bottom)
    # With this trunk, an even kernel_size would shift the scores by half a pixel.
    score = fcn.head(net, net.score("score_fr", bottom, classes), classes, kernel_size=63)
    fcn.pixel_loss(net, score, "label", normalization, normalize=True)
    return net.spec()


def _classifier(
    name: str, classes: int, width: float, normalization: str | None, *, pool_first: bool, bias: float
) -> NetSpec:
    net = Builder(name)
    data = net.input("data", 1, 3, 227, 227)
    label = net.input("label", 1)
    fillers = _fillers(bias)
    bottom = _trunk(net, data, width, first_pad=0, pool_first=pool_first, param=LEARNED, fillers=fillers)
    for i in (6, 7):
        bottom = net.inner_product(f"fc{i}", bottom, channels(4096, width), **fillers[f"fc{i}"])
        net.relu(f"relu{i}", bottom)
        net.dropout(f"drop{i}", bottom)
    score = net.inner_product("fc8", bottom, classes, **fillers["fc8"])
    net.add("prob", "Softmax", score)
    net.loss("loss", score, label, normalization)
    return net.spec()


def _trunk(
    net: Builder,
    bottom: str,
    width: float,
    *,
    first_pad: int,
    pool_first: bool,
    param: tuple[ParamSpec, ...] = (),
    fillers: Fillers | None = None,
) -> str:
    """conv1 to pool5."""
    for i, (count, kernel_size, pad, stride, group) in enumerate(_CONVOLUTIONS, start=1):
        bottom = net.convolution(
            f"conv{i}",
            bottom,
            2 * channels(count // 2, width),
            kernel_size,
            pad=first_pad if i == 1 else pad,
            stride=stride,
            group=group,
            param=param,
            **(fillers[f"conv{i}"] if fillers else {}),
        )
        net.relu(f"relu{i}", bottom)
        if i in (1, 2) and pool_first:
            bottom = net.lrn(f"norm{i}", net.pool(f"pool{i}", bottom, 3, 2))
        elif i in (1, 2):
            bottom = net.pool(f"pool{i}", net.lrn(f"norm{i}", bottom), 3, 2)
    return net.pool("pool5", bottom, 3, 2)


def _fillers(bias: float) -> Fillers:
    """Gaussian weights; `bias` for the layers whose biases start positive, so that their ReLUs learn from the start."""

    def gaussian(std: float, value: float) -> dict[str, Any]:
        return {
            "weight_filler": {"type": "gaussian", "std": std},
            "bias_filler": {"type": "constant", "value": value},
        }

    unbiased, biased, hidden = gaussian(0.01, 0.0), gaussian(0.01, bias), gaussian(0.005, bias)
    convolutions = {"conv1": unbiased, "conv2": biased, "conv3": unbiased, "conv4": biased, "conv5": biased}
    return {**convolutions, "fc6": hidden, "fc7": hidden, "fc8": unbiased}
