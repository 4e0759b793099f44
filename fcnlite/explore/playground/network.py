"""The nets of the playground: the lite nets of `fcnlite.models`, with an eighth of VGG-16's channels.

All initial values are fillers of the description, so that the description alone says how training begins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from fcnlite.description.shapes import crop_offset, placements
from fcnlite.description.spec import LayerSpec, NetSpec, ParamSpec
from fcnlite.explore.playground.settings import Settings
from fcnlite.layers import links
from fcnlite.models import fcn, lite
from fcnlite.models.builder import Builder

WIDTH = 1 / 8
"""The share of VGG-16's channels."""
_STAGES = {
    "lite-32s": (5,),
    "lite-16s": (5, 4),
    "lite-8s": (5, 4, 3),
    "shallow-8s": (3,),
    "shallow-4s": (3, 2),
}
"""The stages that each net scores, from coarse to fine."""
_RANDOM = {"type": "gaussian", "std": 0.5}
"""The filler of random upsampling, with values as large as bilinear ones."""


def describe(settings: Settings, classes: int) -> NetSpec:
    """The description of the net, with the loss and all fillers."""
    net = Builder(settings.net)
    data = net.input("data", 1, 3, settings.size, settings.size)
    label = net.input("label", 1, 1, settings.size, settings.size)
    features = lite.add_features(net, data, WIDTH, stages=_STAGES[settings.net])
    score = lite.add_scores(net, features, classes, data)
    fcn.pixel_loss(net, score, label, settings.normalization)
    layers = net.layers
    if settings.batch_norm == "no":
        layers = [_with_bias(each) for each in layers if each.type not in ("BatchNorm", "Scale")]
    layers = [_CHANGES.get(each.type, lambda layer, _: layer)(each, settings) for each in layers]
    return NetSpec(settings.net, tuple(_aligned(layers, settings)))


def _with_bias(layer: LayerSpec) -> LayerSpec:
    """A convolution that was followed by BatchNorm, with a bias in its place."""
    if layer.options.get("bias_term") is not False or layer.type != "Convolution":
        return layer
    options = {name: value for name, value in layer.options.items() if name != "bias_term"}
    return replace(layer, options=options, param=(*layer.param, ParamSpec(lr_mult=2, decay_mult=0)))


def _convolution(layer: LayerSpec, settings: Settings) -> LayerSpec:
    options, param = dict(layer.options), layer.param
    if layer.name == "conv1_1":
        options["pad"] = [settings.pad]
    scores = layer.name.startswith("score")
    if not scores:
        options["weight_filler"] = {"type": "msra"}
    elif settings.scores == "random":
        options["weight_filler"] = {"type": "gaussian", "std": 0.01}
    if scores and settings.fault == "scores_frozen":
        param = tuple(replace(each, lr_mult=0) for each in param)
    return replace(layer, options=options, param=param)


def _upsampling(layer: LayerSpec, settings: Settings) -> LayerSpec:
    filler = _RANDOM if settings.upsampling.startswith("random") else {"type": "bilinear"}
    learns = settings.upsampling in ("learned", "random")
    return replace(
        layer, options={**layer.options, "weight_filler": filler}, param=(ParamSpec(lr_mult=1.0 if learns else 0.0),)
    )


def _loss(layer: LayerSpec, settings: Settings) -> LayerSpec:
    options = dict(layer.options)
    if settings.fault == "void_not_ignored":
        del options["ignore_label"]
    return replace(layer, options=options)


_CHANGES: dict[str, Callable[[LayerSpec, Settings], LayerSpec]] = {
    "Convolution": _convolution,
    "Deconvolution": _upsampling,
    "SoftmaxWithLoss": _loss,
}


def _aligned(layers: list[LayerSpec], settings: Settings) -> list[LayerSpec]:
    """The layers with the crop offsets that follow from the pad, unless the fault is to leave them."""
    done: list[LayerSpec] = []
    for layer in layers:
        if layer.type == "Crop" and settings.fault != "crop_misaligned":
            offset = crop_offset(placements(links(done, 0)), *layer.bottom)
            layer = replace(layer, options={**layer.options, "offset": [offset]})
        done.append(layer)
    return done
