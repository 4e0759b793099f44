"""Preprocessing that differs from what the weights expect: order of colours, mean, scale.

Caffe's published trunks (VGG-16, AlexNet, CaffeNet, GoogLeNet) were trained on BGR bytes less the mean of ImageNet,
with scale 1. The checks recognise them by the name, window and stride of the first convolution, which must have no
BatchNorm after it. They ignore the filters: most are gray and do not reliably show the order of the colours.

A net may centre its input itself (Power, Bias or BatchNorm on the picture); subtracting a mean as well is then wrong.
Three things show that the range of the input differs from training: the variance that a BatchNorm after the first
convolution has stored, a first bias that dominates the response to the picture, and scores that are far too large.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fcnlite.description.model_info import Preprocessing
from fcnlite.description.spec import LayerSpec
from fcnlite.doctor.anatomy import normalized, picture_shapes, score_blobs
from fcnlite.doctor.finding import Finding
from fcnlite.doctor.trials import Trial
from fcnlite.formats.caffe.preprocessing import centring_layer
from fcnlite.layers import Layer
from fcnlite.layers.convolution import Convolution
from fcnlite.net import Net

KNOWN = {
    ("conv1_1", 3, 1): "VGG-16",
    ("conv1", 11, 4): "AlexNet or CaffeNet",
    ("conv1/7x7_s2", 7, 2): "GoogLeNet",
}
"""Trunks by the name, kernel_size and stride of their first convolution."""

MEAN = (104.0, 117.0, 123.0)
"""ImageNet's mean: blue, green, red."""
OFF = 40.0
"""The most gray levels that a mean may differ; other data sets are within it (the reference's NYUDv2 nets: 31)."""
SAME = 5.0
"""The most gray levels by which a mean that is ImageNet's may differ; its red and blue differ by 19."""
STRETCH = 10.0
"""The largest allowed ratio between the first layer's values on a picture and the learned ones, either way. Three times
as large for white noise, to which filters respond differently."""
DROWNED = 20.0
"""The largest allowed ratio of a first bias to the response to a picture."""
LARGEST_SCORES = 1000.0
"""The largest allowed range of the scores of a pixel; published nets have 10 to 50."""
LEAST_SCALE = 0.1
"""The smallest allowed scale; 1/255 and 1/58 are below. Smaller inputs would need proportionally larger filters."""


def check(net: Net) -> list[Finding]:
    preprocessing = net.info.preprocessing
    shapes = picture_shapes(net.layers, preprocessing)
    first = _first_convolution(net.layers, set(shapes))
    if len(shapes) != 1:
        return []
    twice = _centred_twice(net, next(iter(shapes)), preprocessing)
    if twice is not None:
        return [twice]
    if first is None:
        return []
    trunk = KNOWN.get((first.spec.name, first.geometry.rows.size, first.geometry.rows.stride))
    if trunk is None or normalized(first, net.layers) or preprocessing.color not in ("BGR", "RGB"):
        return []
    return _compared(f"The net has the trunk of {trunk} ({first.spec.name})", preprocessing)


def check_range(net: Net, trials: Sequence[Trial]) -> list[Finding]:
    """Check that the first layer and the scores have values in the learned range; `net` is in phase TEST."""
    first = _first_convolution(net.layers, set(picture_shapes(net.layers, net.info.preprocessing)))
    if first is None or not trials:
        return []
    layers = list(net.spec)
    until = replace(net.spec, layers=tuple(layers[: layers.index(first.spec) + 1]))
    alone = Net(until, phase="TEST", shared=net.params, info=net.info)
    responses = np.concatenate(
        [_by_channel(alone.forward(each.pictures)[first.spec.top[0]]) for each in trials], axis=1
    )
    noise = not trials[0].classes
    found = _against_batch_norm(net, first, responses, STRETCH * (3 if noise else 1))
    if found is None and len(net.params[first.spec.name]) > 1:
        bias = float(np.median(abs(net.params[first.spec.name][1].array)))
        response = float(np.median(responses.std(axis=1)))
        if response > 0 and bias > DROWNED * response:
            found = (
                f"the bias of {first.spec.name} is {bias:.3g}, and a picture changes its values by {response:.2g}: the "
                "weights expect larger inputs"
            )
    if found is None:
        found = _large_scores(net, trials)
    if found is None:
        return []
    remedy = (
        f"The preprocessing is {net.info.preprocessing}. Set scale (--scale) and mean (--mean) to what the net was "
        "trained with, such as a scale of 0.00392157 for values from 0 to 1."
    )
    return [Finding("input-range", "warning", f"The range of the input does not fit the weights: {found}.", remedy)]


def _by_channel(blob: np.ndarray) -> np.ndarray:
    """An N×C×H×W blob as C×(N·H·W)."""
    return blob.transpose(1, 0, 2, 3).reshape(blob.shape[1], -1)


def _against_batch_norm(net: Net, first: Convolution, responses: np.ndarray, most: float) -> str | None:
    """How the first convolution's values differ from the statistics of the BatchNorm after it; None if they do not."""
    for layer in net.layers:
        if layer.type == "BatchNorm" and layer.spec.bottom[0] in first.spec.top:
            _, variance, factor = (each.array.astype(np.float64) for each in net.params[layer.spec.name][:3])
            if not factor.any() or not variance.any():
                return None  # not trained yet
            ratio = float(np.median(responses.std(axis=1) / np.sqrt(np.maximum(variance / factor[0], 1e-12))))
            if 1 / most <= ratio <= most:
                return None
            words = f"{ratio:.0f} times larger" if ratio > 1 else f"{1 / max(ratio, 1e-12):.0f} times smaller"
            return (
                f"the values of {first.spec.name} are {words} than the BatchNorm after it ({layer.spec.name}) learned"
            )
    return None


def _large_scores(net: Net, trials: Sequence[Trial]) -> str | None:
    for name in score_blobs(net.layers):
        scores = net.forward(trials[0].pictures, outputs=[name])[name]
        if scores.ndim > 1 and np.isfinite(scores).all():
            spread = float(np.median(np.ptp(scores, axis=1)))
            if spread > LARGEST_SCORES:
                return f"the scores {name!r} of one pixel differ by {spread:.3g}, where 10 to 50 are usual"
    return None


def _centred_twice(net: Net, picture: str, preprocessing: Preprocessing) -> Finding | None:
    """A mean that is subtracted although a layer of the net does this; None if the data layer specifies both."""
    layer = centring_layer(net.spec.for_phase(net.phase), picture)
    if layer is None or not any(preprocessing.mean) or preprocessing.source.startswith("layer "):
        return None
    centre = _centre(net, layer)
    mean = preprocessing.scale * float(np.mean(preprocessing.mean))
    if centre is None or abs(centre) < OFF * abs(preprocessing.scale) or centre * mean <= 0:
        return None
    return Finding(
        "input-centred-twice",
        "warning",
        f"The preprocessing subtracts a mean of {_row(preprocessing.mean)}, and layer {layer.name!r} ({layer.type}) "
        f"of the net subtracts about {centre:.4g} from what is left.",
        "Set the mean to 0 (load(..., mean=0), --mean 0): the net centres its input itself.",
    )


def _centre(net: Net, layer: LayerSpec) -> float | None:
    """About what a layer subtracts from the picture, in values of its input; None if it is unknown."""
    parameters = [each.array for each in net.params.get(layer.name, ())] if net.sized else []
    if layer.type == "Power":
        scale = layer.options.get("scale", 1.0)
        return -layer.options["shift"] / scale if scale else None
    if layer.type == "BatchNorm" and len(parameters) > 2 and parameters[2].any():
        return float(parameters[0].mean() / parameters[2][0])
    if layer.type == "Bias" and parameters:
        return -float(parameters[0].mean())
    if layer.type == "Scale" and len(parameters) > 1 and parameters[0].all():
        return -float((parameters[1] / parameters[0]).mean())
    return None


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
                "Set scale to 1, unless these weights were trained with another.",
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
    """What is wrong with a mean, in words; None if it may be intended."""
    if not any(mean):
        return "no mean is subtracted"
    if max(map(abs, mean)) <= 1:
        return "it is one of pictures from 0 to 1, not of bytes"
    if _distance(mean, wanted[::-1]) <= SAME:
        return "red and blue are exchanged"
    if _distance(mean, wanted) > OFF:
        return "it is far from the mean of photographs"
    return None


def _distance(mean: tuple[float, ...], other: tuple[float, ...]) -> float:
    return max(abs(a - b) for a, b in zip(mean, other, strict=True))


def _row(mean: tuple[float, ...]) -> str:
    return ", ".join(f"{each:g}" for each in mean)
