"""Nets of the zoo from the weights of other nets: FCNs from classifiers, finer FCNs from coarser ones."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fcnlite import models, surgery
from fcnlite.arrays import Array
from fcnlite.data.palette import voc_colors
from fcnlite.data.voc import default_classes
from fcnlite.description.model_info import ModelInfo
from fcnlite.description.reference_feeding import NYUD, SIFTFLOW
from fcnlite.description.spec import NetSpec
from fcnlite.errors import ShapeError, SpecError
from fcnlite.formats import caffe
from fcnlite.formats.sources import WeightSource
from fcnlite.loading import load
from fcnlite.net import Net

CLASSIFIERS = ("lenet", "alexnet", "caffenet", "vgg16", "googlenet")
LATE_FUSION = "nyud-fcn32s-color-hha"
"""The net with two trunks, for colour and for HHA."""

_OTHER_TRUNKS = {"voc-fcn-alexnet": "caffenet", "voc-fcn-googlenet": "googlenet"}
"""The FCNs whose trunk is not VGG-16, with the classifier that it comes from."""
_FED = {
    "siftflow-fcn32s": SIFTFLOW,
    "siftflow-fcn16s": SIFTFLOW,
    "siftflow-fcn8s": SIFTFLOW,
    "nyud-fcn32s-color": NYUD["color"],
    "nyud-fcn32s-hha": NYUD["hha"],
    "nyud-fcn32s-color-d": replace(NYUD["color"], others={"depth": NYUD["depth"]}),
    LATE_FUSION: replace(NYUD["color"], others={"hha": NYUD["hha"]}),
}
"""The nets that the FCN reference does not feed as its trunks' classifiers are fed, with the pictures that it feeds."""
_SUFFIXES = ("color", "hha")
"""The endings of the layer names in the two trunks of late fusion."""
_FIRST_WITH_DEPTH = "conv1_1_bgrd"
"""The name of conv1_1 in the net that takes depth as a fourth channel."""


def convert(
    name: str, sources: Sequence[WeightSource], origin: str, classes: tuple[int, ...] | None = None
) -> tuple[Net, list[surgery.Transfer]]:
    """The net `name` with the parameters that the sources have for it, and what became of each parameter.

    `sources`: one, or two for late fusion. `origin`: their files, for messages. `classes`: those to score, one number
    for each head; by default as many as the weights have, else as published. Raises `ShapeError` for weights that do
    not fit, or that score more classes than `classes`.
    """
    weights = _for_the_layers_of(name, sources)
    heads = _heads(models.describe(name))
    before = {count: _scored_classes(layers, weights, origin) for count, layers in heads.items()}
    if name not in CLASSIFIERS and classes is None:
        classes = tuple(rows or count for count, rows in before.items())
    for rows, count in zip(before.values(), classes or (), strict=False):
        if rows is not None and rows > count:
            raise ShapeError(
                f"{origin}: scores {rows} classes, and --classes {count} would lose some of them; expected at least "
                f"{rows} (to learn other classes instead, train with --init)."
            )
    net = Net(_described(name, weights, classes), info=_info(name, sources, [*before] == [*before.values()]))
    if classes is not None:
        net.info = _relabelled(net.info, next(iter(before.values())), classes[0])
    transfers = surgery.start_from(net, weights, origin)
    if _FIRST_WITH_DEPTH in weights and "conv1_1" in sources[0].weights:
        transfers = [_with_depth(each, sources[0].weights["conv1_1"]) for each in transfers]
    return net, transfers


def keep_classifier(name: str, source: WeightSource, origin: str) -> tuple[Net, list[surgery.Transfer]]:
    """The classifier that the net `name` comes from, fully convolutional, and what became of each parameter."""
    spec = _described(_classifier_of(name), source.weights, None)
    return surgery.convolutional_classifier(spec, source.weights, source.info, origin)


def described_classifier(net: str, source: WeightSource, origin: str) -> tuple[Net, list[surgery.Transfer]]:
    """The classifier in the prototxt `net`, fully convolutional, and what became of each parameter."""
    with warnings.catch_warnings():
        # An error reports a layer of an unknown type if the conversion needs it.
        warnings.filterwarnings("ignore", message=".*unknown type")
        spec = load(net).spec
    info = source.info
    if info is None:
        info = ModelInfo(preprocessing=caffe.feeding(spec, net, source.weights).preprocessing)
    return surgery.convolutional_classifier(spec, source.weights, info, origin)


def _info(name: str, sources: Sequence[WeightSource], as_published: bool) -> ModelInfo | None:
    """How pictures are fed, and the classes: as the sources say, for late fusion both of them.

    If they say nothing, as Caffe's files, and score as many classes as the published weights of the net, they are taken
    for these.
    """
    infos = [source.info for source in sources]
    if name in _FED and as_published and infos == [None] * len(infos):
        given = "give --mean if that is wrong"
        return ModelInfo(replace(_FED[name], source=f"assumed: as the published {name}; {given}"))
    if len(infos) == 2 and infos[1] is not None:
        color = infos[0] or ModelInfo(NYUD["color"])
        return replace(color, preprocessing=replace(color.preprocessing, others={"hha": infos[1].preprocessing}))
    return infos[0]


def _for_the_layers_of(name: str, sources: Sequence[WeightSource]) -> dict[str, list[Array]]:
    """The weights under the layer names of the net, with depth added to its first layer where it takes depth."""
    layers = {layer.name for layer in models.describe(name)}
    suffixes = _SUFFIXES if name == LATE_FUSION else ("",)
    weights = surgery.renamed(layers, [source.weights for source in sources], suffixes)
    if _FIRST_WITH_DEPTH in layers and _FIRST_WITH_DEPTH not in weights and "conv1_1" in weights:
        weight, *bias = weights.pop("conv1_1")
        weights[_FIRST_WITH_DEPTH] = [surgery.add_depth(weight), *bias]
    return weights


def _with_depth(transfer: surgery.Transfer, first: Sequence[Array]) -> surgery.Transfer:
    """The transfer of the first layer's weight with the shape in the file, which depth was added to."""
    if (transfer.layer, transfer.index) != (_FIRST_WITH_DEPTH, 0):
        return transfer
    return replace(transfer, found=first[0].shape, outcome="expanded")


def _classifier_of(name: str) -> str:
    """The classifier whose layers the net `name` has."""
    if name in CLASSIFIERS:
        return name
    if "fc6" not in {layer.name for layer in models.describe(name)} and name not in _OTHER_TRUNKS:
        raise SpecError(
            f"{name} does not come from a classifier, so --keep-classifier has none to keep; give --to vgg16."
        )
    return _OTHER_TRUNKS.get(name, "vgg16")


def _described(name: str, weights: surgery.Weights, classes: tuple[int, ...] | None) -> NetSpec:
    """The description of the net `name`, at the width of the weights."""
    width = 1.0
    for layer in models.describe(name):
        if layer.type == "Convolution" and layer.name in weights and weights[layer.name]:
            width = np.shape(weights[layer.name][0])[0] / layer.options["num_output"]
            break
    return surgery.fit(models.describe(name, classes=classes, width=width), weights)


def _heads(spec: NetSpec) -> dict[int, list[str]]:
    """The score layers of each head, by the number of classes that the head scores."""
    heads: dict[int, list[str]] = {}
    for layer in spec:
        if layer.type == "Convolution" and layer.name.startswith("score"):
            heads.setdefault(layer.options["num_output"], []).append(layer.name)
    return heads


def _scored_classes(layers: Sequence[str], weights: surgery.Weights, origin: str) -> int | None:
    """The number of classes that these score layers have in the weights; None if the weights lack them."""
    rows = {len(weights[layer][0]) for layer in layers if layer in weights}
    if len(rows) > 1:
        raise ShapeError(f"{origin}: the score layers have {sorted(rows)} classes; expected the same number in all.")
    return next(iter(rows), None)


def _relabelled(info: ModelInfo, before: int | None, count: int) -> ModelInfo:
    """`info` for `count` classes; the names and colours of the classes scored before come first."""
    classes = info.classes if len(info.classes) == before else ()
    colors = info.colors if len(info.colors) == before else ()
    classes = classes and classes + default_classes(count)[len(classes) :]
    return replace(info, classes=classes, colors=colors and colors + voc_colors(count)[len(colors) :])
