"""Checks that weights do not hold more parameters for a layer than it takes."""

from __future__ import annotations

import os

from fcnlite.errors import ShapeError
from fcnlite.formats import caffe
from fcnlite.layers.base import Layer
from fcnlite.layers.registry import UnknownLayer
from fcnlite.net import Net
from fcnlite.surgery.transplanting import Weights


def check_counts(net: Net, weights: Weights, origin: str | os.PathLike[str]) -> None:
    """Raise `ShapeError` if the weights hold more arrays for a layer than it has parameters.

    While the net has no sizes, only layers that never have parameters are checked. `origin`: the file of the weights.
    """
    layers = {layer.spec.name: layer for layer in net.layers}
    weights = caffe.split_scales(weights, [name for name, layer in layers.items() if layer.type == "BatchNorm"])
    for name, layer in layers.items():
        scale = caffe.scale_of(name)
        if layer.type == "BatchNorm" and scale in weights and scale not in layers:
            raise _too_many(origin, layer, 3 + len(weights[scale]), 3)
        if not weights.get(name) or isinstance(layer, UnknownLayer):
            continue
        if type(layer).params is Layer.params:
            raise _too_many(origin, layer, len(weights[name]), 0)
        if net.sized and name in net.params and len(weights[name]) > len(net.params[name]):
            raise _too_many(origin, layer, len(weights[name]), len(net.params[name]))


def _too_many(origin: str | os.PathLike[str], layer: Layer, found: int, taken: int) -> ShapeError:
    """The error of a layer for which the file holds too many arrays, with the way out."""
    if layer.type == "BatchNorm" and found == 5:
        way = "NVIDIA's Caffe scales in this layer too: add `scale_bias: true` to its batch_norm_param"
    elif layer.spec.options.get("bias_term") is False and found == taken + 1:
        way = "if the last one is a bias, set `bias_term: true`"
    elif layer.type == "Scale" and found == taken + 1:
        way = "if the last one is a bias, add `bias_term: true` to its scale_param"
    else:
        way = "correct its type or options"
    return ShapeError(
        f"{origin}: holds {found} blobs for layer {layer.spec.name!r} ({layer.type}), which takes {taken or 'none'}; "
        f"{way}, or rename the layer to leave them out."
    )
