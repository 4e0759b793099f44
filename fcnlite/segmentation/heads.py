"""Finds the inputs of a net that take pictures, and the blobs that score the classes of each label map.

Most nets take one picture (`data`) and score one label map (`label`). Nets for NYUDv2 may take colour together with
depth or HHA; nets for SIFT Flow score two label maps (`sem`, `geo`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fcnlite.arrays import Shape
from fcnlite.data.palette import voc_colors
from fcnlite.data.sample import VOID
from fcnlite.data.voc import default_classes
from fcnlite.description.model_info import Labels, ModelInfo
from fcnlite.description.shapes import show
from fcnlite.errors import SpecError
from fcnlite.graph.sizing import image_inputs
from fcnlite.layers import Layer
from fcnlite.layers.registry import UnknownLayer
from fcnlite.net import Net

TRIAL_SIDE = 224
"""The height and width for shape inference if the description gives none."""


class Head(NamedTuple):
    """The blob that scores the classes of one label map."""

    blob: str
    labels: Labels
    """Name and colour of each class; the blob has one channel per class."""
    named: bool = True
    """Whether the file of the net gave the names."""


def picture_inputs(net: Net) -> dict[str, Shape]:
    """The inputs that take pictures, each with a shape for shape inference.

    Raises `SpecError` if there are none, or if the channels of an input differ from those of the preprocessing.
    """
    inputs: dict[str, Shape] = {}
    for name, shape in image_inputs(net.layers).items():
        preprocessing = net.info.preprocessing.of(name)
        channels = len(preprocessing.mean)
        inputs[name] = (1, channels, TRIAL_SIDE, TRIAL_SIDE) if shape is None else shape
        if shape is not None and (len(shape) != 4 or shape[1] != channels):
            raise SpecError(
                f"input {name!r} has shape {show(shape)}, but pictures in {preprocessing.color} come as "
                f"1×{channels}×H×W; correct the preprocessing or the description (bands= chooses bands of pictures)."
            )
    if not inputs:
        raise SpecError("the net uses 0 inputs; expected at least one, the picture.")
    return inputs


def heads(net: Net, pictures: Mapping[str, Shape]) -> dict[str, Head]:
    """The head of each label map, by the blob of the label, in the order of the net, for inputs of these shapes.

    Raises `SpecError` if the net does not score classes of every pixel, or if `info` has another number of classes.
    """
    made: dict[str, Shape] = {}
    unread: dict[str, Shape] = {}
    for layer, _, tops in net.shapes(dict(pictures)):
        for bottom in layer.spec.bottom:
            unread.pop(bottom, None)
        made.update(zip(layer.spec.top, tops, strict=True))
        unread.update(zip(layer.spec.top, tops, strict=True))
    for layer in net.layers:
        if isinstance(layer, UnknownLayer):
            for bottom in layer.spec.bottom:
                unread.pop(bottom, None)
    blobs = _score_blobs(net.layers, made, unread)
    return {
        label: Head(blob, _named(net.info, label, blob, made[blob][1]), bool(net.info.labels(label).classes))
        for label, blob in blobs.items()
    }


def _score_blobs(layers: Sequence[Layer], made: Mapping[str, Shape], unread: Mapping[str, Shape]) -> dict[str, str]:
    """The blob of class scores for each label map.

    If losses use several label maps, it is the blob that each loss compares with its label map. Otherwise it is
    `score`, or the only output with four axes, or all outputs with four axes if they are called `score_LABEL`.
    """
    compared = {
        layer.spec.bottom[1]: layer.spec.bottom[0]
        for layer in layers
        if layer.is_loss and len(layer.spec.bottom) > 1 and len(made.get(layer.spec.bottom[0], ())) == 4
    }
    if len(compared) > 1:
        return compared
    label = next(iter(compared), "label")
    if len(made.get("score", ())) == 4:
        return {label: "score"}
    maps = [name for name, shape in unread.items() if len(shape) == 4]
    if len(maps) == 1:
        return {label: maps[0]}
    if maps and all(name.startswith("score_") for name in maps):
        return {name.removeprefix("score_"): name for name in maps}
    for layer in layers:
        if isinstance(layer, UnknownLayer) and layer.spec.bottom:
            raise SpecError(f"the net has no scores without what it cannot compute: {layer.error()}")
    outputs = ", ".join(f"{name} {show(shape)}" for name, shape in unread.items())
    raise SpecError(
        f"the net has {len(maps)} outputs of four axes (found: {outputs}), and none is called 'score'; "
        "expected one, N×C×H×W class scores, from a fully convolutional net."
    )


def _named(info: ModelInfo, label: str, blob: str, count: int) -> Labels:
    """Names and colours for `count` classes, from `info` or by default (see `default_classes`)."""
    if not 2 <= count <= VOID:
        raise SpecError(
            f"blob {blob!r} has {count} channels; expected 2 to {VOID} classes, since label maps are "
            f"uint8 and {VOID} is void."
        )
    given = info.labels(label)
    classes = given.classes or default_classes(count)
    if len(classes) != count:
        raise SpecError(
            f"the net scores {count} classes, but the file names {len(classes)}; "
            "correct `info.classes` and save the net again."
        )
    return Labels(classes, given.colors or voc_colors(count))
