"""Where a net meets pictures and labels: the inputs that take pictures, the scores of each label map.

Most nets take one picture (`data`) and score one label map (`label`); NYUDv2's take colour and depth or HHA, SIFT
Flow's score two label maps (`sem`, `geo`).
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
from fcnlite.net import Net

TRIAL_SIDE = 224
"""Height and width to infer shapes with where the description gives none."""


class Head(NamedTuple):
    """The scores of one label map."""

    blob: str
    labels: Labels
    """Names and colours of the classes, as many as the blob has channels."""
    named: bool = True
    """Whether the names are the net's own; False where its file gave none."""


def picture_inputs(net: Net) -> dict[str, Shape]:
    """The inputs that take pictures, with shapes to try the net with.

    Raises `SpecError` where there are none, or where one has other channels than the preprocessing makes.
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
        raise SpecError("the net computes with 0 inputs; expected at least one, the picture.")
    return inputs


def heads(net: Net, pictures: Mapping[str, Shape]) -> dict[str, Head]:
    """The scores of each label map by the blob of the label, in the net's order, for inputs of these shapes.

    Raises `SpecError` where they are not class scores of every pixel, or `info` names another number of classes.
    """
    made: dict[str, Shape] = {}
    unread: dict[str, Shape] = {}
    for layer, _, tops in net.shapes(dict(pictures)):
        for bottom in layer.spec.bottom:
            unread.pop(bottom, None)
        made.update(zip(layer.spec.top, tops, strict=True))
        unread.update(zip(layer.spec.top, tops, strict=True))
    blobs = _score_blobs(net.layers, made, unread)
    return {
        label: Head(blob, _named(net.info, label, blob, made[blob][1]), bool(net.info.labels(label).classes))
        for label, blob in blobs.items()
    }


def _score_blobs(layers: Sequence[Layer], made: Mapping[str, Shape], unread: Mapping[str, Shape]) -> dict[str, str]:
    """The blob of class scores for each label.

    Where losses compare with several labels, these are what they compare; else it is `score` if that exists, else the
    only output of four axes, else outputs that are all called `score_LABEL`.
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
    outputs = ", ".join(f"{name} {show(shape)}" for name, shape in unread.items())
    raise SpecError(
        f"the net has {len(maps)} outputs of four axes (found: {outputs}), and none is called 'score'; "
        "expected one, N×C×H×W class scores, from a fully convolutional net."
    )


def _named(info: ModelInfo, label: str, blob: str, count: int) -> Labels:
    """Names and colours for `count` classes; VOC's names for 21 without, else numbers."""
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
