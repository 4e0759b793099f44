"""Find the parts of an FCN in a list of layers: picture inputs, labels, scores, trunk and score layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest

from fcnlite.arrays import Shape
from fcnlite.description.model_info import Preprocessing
from fcnlite.graph.sizing import image_inputs
from fcnlite.layers import Layer
from fcnlite.layers.infogain_loss import InfogainLoss
from fcnlite.layers.softmax_loss import SoftmaxWithLoss
from fcnlite.net import Net
from fcnlite.segmentation.heads import TRIAL_SIDE

WEIGHTED = ("Convolution", "InnerProduct")
"""The types of layers whose weights learn features or scores."""


def picture_shapes(
    layers: Sequence[Layer], preprocessing: Preprocessing, size: tuple[int, int] | None = None
) -> dict[str, Shape]:
    """The shape of each picture input, as described or with the height and width `size`."""
    shapes: dict[str, Shape] = {}
    for name, shape in image_inputs(layers).items():
        described = shape or (1, len(preprocessing.of(name).mean), TRIAL_SIDE, TRIAL_SIDE)
        shapes[name] = (*described[:2], *size) if size is not None and len(described) == 4 else described
    return shapes


def reference_shapes(layers: Sequence[Layer], pictures: Mapping[str, Shape]) -> dict[str, Shape]:
    """The shape of each input that serves only as the reference of a Crop, for its height and width.

    That is the described shape. If `pictures` have another size than described, a reference that is described as large
    as a picture follows it.
    """
    described: dict[str, Shape | None] = {}
    for layer in layers:
        if not layer.spec.bottom:
            described.update(zip_longest(layer.spec.top, layer.top_shapes()[: len(layer.spec.top)]))
    batch, _, *size = next((each for each in pictures.values() if len(each) == 4), (1, 1, TRIAL_SIDE, TRIAL_SIDE))
    resized = [described[name] for name, shape in pictures.items() if described.get(name) not in (None, shape)]
    shapes: dict[str, Shape] = {}
    for name in (layer.spec.bottom[1] for layer in layers if layer.type == "Crop"):
        if name in described and name not in pictures:
            shape = described[name]
            if shape is None or any(each is not None and each[2:] == shape[2:] for each in resized):
                shape = (1, 1, *size)
            shapes[name] = (batch, *shape[1:])
    return shapes


def softmax_losses(layers: Sequence[Layer]) -> list[SoftmaxWithLoss | InfogainLoss]:
    """The losses that compare class scores with labels.

    The doctor assumes that class weights, if any, have a mean of 1 over the pixels, as --class-balance makes them.
    """
    known = (layer for layer in layers if isinstance(layer, (SoftmaxWithLoss, InfogainLoss)))
    return [layer for layer in known if len(layer.spec.bottom) == 2]


def blob_shapes(net: Net, size: tuple[int, int] | None = None) -> dict[str, Shape]:
    """The shapes of all blobs that the net computes from pictures of this size, or of the described one.

    Labels are given only where a Crop reads their shape. Raises `ShapeError` if shapes do not fit.
    """
    found = picture_shapes(net.layers, net.info.preprocessing, size)
    found.update(reference_shapes(net.layers, found))
    for layer, _, tops in net.shapes(found):
        found.update(zip(layer.spec.top, tops, strict=True))
    return found


def score_blobs(layers: Sequence[Layer]) -> list[str]:
    """The blobs of class scores: those compared with labels; if there are none, the outputs before any softmax."""
    found = [layer.spec.bottom[0] for layer in layers if layer.is_loss or layer.type == "Accuracy"]
    if not found:
        read = {blob for layer in layers for blob in layer.spec.bottom if blob not in layer.spec.top}
        found = [top for layer in layers if layer.spec.bottom for top in layer.spec.top if top not in read]
        before = {layer.spec.top[0]: layer.spec.bottom[0] for layer in layers if layer.type == "Softmax"}
        found = [before.get(name, name) for name in found]
    return list(dict.fromkeys(found))


def score_layers(layers: Sequence[Layer]) -> list[Layer]:
    """The last layers with weights on every path to the scores; upsampling does not count."""
    writers: dict[str, list[Layer]] = {}
    for layer in layers:
        for top in layer.spec.top:
            writers.setdefault(top, []).append(layer)
    found: list[Layer] = []
    pending, seen = score_blobs(layers), set[str]()
    while pending:
        blob = pending.pop()
        if blob in seen:
            continue
        seen.add(blob)
        for layer in writers[blob]:
            if layer.type in WEIGHTED:
                found.append(layer)
            else:
                pending += [name for i, name in enumerate(layer.spec.bottom) if i not in layer.no_gradient]
    return [layer for layer in layers if layer in found]


def trunk_layers(layers: Sequence[Layer]) -> list[Layer]:
    """The layers that compute features: all layers with weights except the score layers."""
    scores = score_layers(layers)
    return [layer for layer in layers if layer.type in WEIGHTED and layer not in scores]


def normalized(layer: Layer, layers: Sequence[Layer]) -> bool:
    """Whether a BatchNorm, or the BN of forks, reads the layer's top."""
    return any(each.type in ("BatchNorm", "BN") and each.spec.bottom[0] in layer.spec.top for each in layers)
