"""Preprocessing that does not match the weights: order of colours, mean, scale.

Caffe's published trunks (VGG-16, AlexNet, CaffeNet, GoogLeNet) were trained on BGR bytes minus the mean of ImageNet,
with scale 1. Their first convolution identifies them: its name, kernel_size and stride, and no BatchNorm after it. The
filters themselves do not show the order of colours reliably (most are gray), so they are not examined.

A net may centre its input itself (Power, Bias or BatchNorm on the picture); then the preprocessing must not subtract a
mean too. The range of the values that a net was trained on shows in the variance that a BatchNorm after the first
convolution has stored, in a first bias that is much larger than the response to a picture, and in scores that are far
too large.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fcnlite.description.model_info import Preprocessing
from fcnlite.description.spec import LayerSpec
from fcnlite.doctor.batches import Batch
from fcnlite.doctor.finding import Finding
from fcnlite.doctor.structure import normalized, picture_shapes, score_blobs
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
"""The mean of ImageNet: blue, green, red."""
MEAN_TOLERANCE = 40.0
"""Gray levels by which a mean may differ from ImageNet's: other data sets' means differ too, NYUDv2's by 31."""
SAME_MEAN = 5.0
"""Gray levels within which a mean counts as ImageNet's, whose red and blue differ by 19."""
MAX_RATIO = 10.0
"""By which factor the first layer's values on a picture may be larger or smaller than in training. For white noise, to
which filters respond differently, it is three times as large."""
MAX_BIAS = 20.0
"""The largest ratio of the first bias to the response to a picture."""
MAX_SCORE_RANGE = 1000.0
"""The largest difference between the scores of a pixel; published nets have 10 to 50."""
MIN_SCALE = 0.1
"""The smallest scale for the published trunks. The usual other scales, 1/255 and 1/58, are smaller."""


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


def check_range(net: Net, batches: Sequence[Batch]) -> list[Finding]:
    """Check that the values of the first layer and the scores are as large as in training; `net` is in phase TEST."""
    first = _first_convolution(net.layers, set(picture_shapes(net.layers, net.info.preprocessing)))
    if first is None or not batches:
        return []
    layers = list(net.spec)
    until = replace(net.spec, layers=tuple(layers[: layers.index(first.spec) + 1]))
    alone = Net(until, phase="TEST", shared=net.params, info=net.info)
    responses = np.concatenate(
        [_by_channel(alone.forward(each.pictures)[first.spec.top[0]]) for each in batches], axis=1
    )
    noise = not batches[0].classes
    found = _against_batch_norm(net, first, responses, MAX_RATIO * (3 if noise else 1))
    if found is None and len(net.params[first.spec.name]) > 1:
        bias = float(np.median(abs(net.params[first.spec.name][1].array)))
        response = float(np.median(responses.std(axis=1)))
        if response > 0 and bias > MAX_BIAS * response:
            found = (
                f"the bias of {first.spec.name} is {bias:.3g}, but a picture changes its values by only "
                f"{response:.2g}: the weights expect larger inputs"
            )
    if found is None:
        found = _large_scores(net, batches)
    if found is None:
        return []
    mend = (
        f"Pictures are fed as {net.info.preprocessing}. Set scale (--scale) and mean (--mean) to those of the net's "
        "training, such as a scale of 0.00392157 for values from 0 to 1."
    )
    return [Finding("input-range", "warning", f"The range of the input does not fit the weights: {found}.", mend)]


def _by_channel(blob: np.ndarray) -> np.ndarray:
    """An N×C×H×W blob as C×(N·H·W)."""
    return blob.transpose(1, 0, 2, 3).reshape(blob.shape[1], -1)


def _against_batch_norm(net: Net, first: Convolution, responses: np.ndarray, most: float) -> str | None:
    """How the first convolution's values differ from the variance in its BatchNorm; None if they fit."""
    for layer in net.layers:
        if layer.type == "BatchNorm" and layer.spec.bottom[0] in first.spec.top:
            _, variance, factor = (each.array.astype(np.float64) for each in net.params[layer.spec.name][:3])
            if not factor.any() or not variance.any():
                return None  # not trained yet
            ratio = float(np.median(responses.std(axis=1) / np.sqrt(np.maximum(variance / factor[0], 1e-12))))
            if 1 / most <= ratio <= most:
                return None
            words = f"{ratio:.0f} times larger" if ratio > 1 else f"{1 / max(ratio, 1e-12):.0f} times smaller"
            return f"the values of {first.spec.name} are {words} than its BatchNorm ({layer.spec.name}) has measured"
    return None


def _large_scores(net: Net, batches: Sequence[Batch]) -> str | None:
    for name in score_blobs(net.layers):
        scores = net.forward(batches[0].pictures, outputs=[name])[name]
        if scores.ndim > 1 and np.isfinite(scores).all():
            spread = float(np.median(np.ptp(scores, axis=1)))
            if spread > MAX_SCORE_RANGE:
                return f"the scores {name!r} of one pixel differ by {spread:.3g}, but usually by 10 to 50"
    return None


def _centred_twice(net: Net, picture: str, preprocessing: Preprocessing) -> Finding | None:
    """A finding if the preprocessing and a layer of the net both subtract a mean, unless the data layer says so."""
    layer = centring_layer(net.spec.for_phase(net.phase), picture)
    if layer is None or not any(preprocessing.mean) or preprocessing.source.startswith("layer "):
        return None
    centre = _centre(net, layer)
    mean = preprocessing.scale * float(np.mean(preprocessing.mean))
    if centre is None or abs(centre) < MEAN_TOLERANCE * abs(preprocessing.scale) or centre * mean <= 0:
        return None
    return Finding(
        "input-centred-twice",
        "warning",
        f"The preprocessing subtracts a mean of {_row(preprocessing.mean)}, and layer {layer.name!r} ({layer.type}) "
        f"of the net subtracts about {centre:.4g} from the result.",
        "Set the mean to 0 (load(..., mean=0), --mean 0): the net centres its input itself.",
    )


def _centre(net: Net, layer: LayerSpec) -> float | None:
    """About how much a layer subtracts from its input, the picture; None if unknown."""
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
    """The first convolution that reads a picture."""
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
                f"{trunk}, whose Caffe weights expect blue, green, red, but the preprocessing has color {color}.",
                "Set color to BGR, with the mean in that order, unless these weights were trained on RGB.",
            )
        )
    if abs(scale) < MIN_SCALE:
        effect = f"{1 / abs(scale):.0f} times too small" if scale else "all zero"
        findings.append(
            Finding(
                "input-scale",
                "warning",
                f"{trunk}, whose Caffe weights expect bytes from 0 to 255 minus the mean, but the preprocessing has "
                f"scale {scale:.4g}: the input is {effect}.",
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
                f"preprocessing has {_row(mean)}: {wrong}.",
                f"Set mean to {_row(wanted)}, unless these weights were trained with another.",
            )
        )
    return findings


def _wrong_mean(mean: tuple[float, ...], wanted: tuple[float, ...]) -> str | None:
    """What is wrong with a mean, in words; None if it may be meant."""
    if not any(mean):
        return "no mean is subtracted"
    if max(map(abs, mean)) <= 1:
        return "that is a mean of values from 0 to 1, not of bytes"
    if _distance(mean, wanted[::-1]) <= SAME_MEAN:
        return "red and blue are exchanged"
    if _distance(mean, wanted) > MEAN_TOLERANCE:
        return "that is far from the mean of photographs"
    return None


def _distance(mean: tuple[float, ...], other: tuple[float, ...]) -> float:
    return max(abs(a - b) for a, b in zip(mean, other, strict=True))


def _row(mean: tuple[float, ...]) -> str:
    return ", ".join(f"{each:g}" for each in mean)
