"""Pictures fed in another way than the weights expect: order of colours, mean, scale.

Caffe's published trunks (VGG-16, AlexNet, CaffeNet, GoogLeNet) were trained on BGR bytes less the mean of ImageNet,
scale 1. They are known by their first convolution: name, kernel and stride, no BatchNorm behind it. What the filters
themselves look like tells the order of colours only unreliably (most are gray), so they are not asked.
"""

from __future__ import annotations

from fcnlite.doctor.anatomy import normalized, picture_shapes
from fcnlite.doctor.finding import Finding
from fcnlite.layers import Layer
from fcnlite.layers.convolution import Convolution
from fcnlite.net import Net
from fcnlite.spec import Preprocessing

KNOWN = {
    ("conv1_1", 3, 1): "VGG-16",
    ("conv1", 11, 4): "AlexNet or CaffeNet",
    ("conv1/7x7_s2", 7, 2): "GoogLeNet",
}
"""Trunks by the name, kernel and stride of their first convolution."""

MEAN = (104.0, 117.0, 123.0)
"""Of ImageNet: blue, green, red."""
OFF = 40.0
"""Grey levels that a mean may be off: that of a set of its own is within it (the reference's NYUDv2 nets: 31)."""
SAME = 5.0
"""Grey levels within which a mean is ImageNet's; red and blue differ by 19."""
LEAST_SCALE = 0.1
"""Inputs ten times smaller than Caffe's need first filters ten times larger; 1/255 and 1/58 lie below."""


def check(net: Net) -> list[Finding]:
    preprocessing = net.info.preprocessing
    shapes = picture_shapes(net.layers, preprocessing)
    first = _first_convolution(net.layers, set(shapes))
    if len(shapes) != 1 or first is None:
        return []
    trunk = KNOWN.get((first.spec.name, first.kernel.rows.kernel, first.kernel.rows.stride))
    if trunk is None or normalized(first, net.layers) or preprocessing.color == "GRAY":
        return []
    return _compared(f"The net has the trunk of {trunk} ({first.spec.name})", preprocessing)


def _first_convolution(layers: list[Layer], pictures: set[str]) -> Convolution | None:
    """The first convolution over three channels of a picture."""
    for layer in layers:
        if isinstance(layer, Convolution) and layer.spec.bottom[0] in pictures:
            return layer
    return None


def _compared(trunk: str, preprocessing: Preprocessing) -> list[Finding]:
    color, mean, scale = preprocessing.color, preprocessing.mean, preprocessing.scale
    findings = []
    if color != "BGR":
        findings.append(
            Finding(
                "input-colors",
                "warning",
                f"{trunk}, whose Caffe weights expect blue, green, red, but the preprocessing's color is {color}.",
                "Set color to BGR, with the mean in that order, unless these weights were trained on RGB.",
            )
        )
    if abs(scale) < LEAST_SCALE:
        effect = f"{1 / abs(scale):.0f} times too small" if scale else "all zero"
        findings.append(
            Finding(
                "input-scale",
                "warning",
                f"{trunk}, whose Caffe weights expect bytes of 0 to 255 less the mean, but the preprocessing's scale "
                f"is {scale:.4g}: the input is {effect}.",
                "Set scale to 1, unless these weights were trained so.",
            )
        )
    wanted = MEAN if color == "BGR" else MEAN[::-1]
    wrong = _wrong_mean(mean, wanted)
    if wrong is not None:
        findings.append(
            Finding(
                "input-mean",
                "warning",
                f"{trunk}, whose Caffe weights expect a mean of about {_row(wanted)} in the order {color}, but the "
                f"preprocessing's is {_row(mean)}: {wrong}.",
                f"Set mean to {_row(wanted)}, unless these weights were trained with another.",
            )
        )
    return findings


def _wrong_mean(mean: tuple[float, ...], wanted: tuple[float, ...]) -> str | None:
    """What is wrong with a mean, in words; None if it may be meant."""
    if not any(mean):
        return "no mean is subtracted"
    if max(map(abs, mean)) <= 1:
        return "it is one of pictures from 0 to 1, not of bytes"
    if _distance(mean, wanted[::-1]) <= SAME:
        return "red and blue are exchanged"
    if _distance(mean, wanted) > OFF:
        return "that is far from the mean of photographs"
    return None


def _distance(mean: tuple[float, ...], other: tuple[float, ...]) -> float:
    return max(abs(a - b) for a, b in zip(mean, other, strict=True))


def _row(mean: tuple[float, ...]) -> str:
    return ", ".join(f"{each:g}" for each in mean)
