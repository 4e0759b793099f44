"""Nets made from the weights of other nets: convolutional classifiers, and FCNs that start from given weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.description.fillers import Filler
from fcnlite.description.model_info import ModelInfo
from fcnlite.description.spec import NetSpec
from fcnlite.errors import ShapeError
from fcnlite.formats import caffe
from fcnlite.net import Net
from fcnlite.surgery.checking import check_counts
from fcnlite.surgery.convolutional import fully_convolutional
from fcnlite.surgery.expanding import expand_score
from fcnlite.surgery.filling import fill, interp, unfilled_features
from fcnlite.surgery.transplanting import Transfer, Weights, transplant


def convolutional_classifier(
    spec: NetSpec, weights: Weights, info: ModelInfo | None, origin: str
) -> tuple[Net, list[Transfer]]:
    """The classifier `spec` made fully convolutional, with all its parameters from `weights`.

    `origin`: the file of the weights. Raises `ShapeError` if it lacks a parameter or holds too many, and the errors of
    `fully_convolutional`.
    """
    # `fully_convolutional` reshapes weights; the transfers show the shapes in the file.
    shapes = {(name, i): np.shape(array) for name, arrays in weights.items() for i, array in enumerate(arrays)}
    spec, converted = fully_convolutional(caffe.with_scales(spec, weights), weights)
    net = Net(spec, info=info)
    check_counts(net, converted, origin)
    transfers = start_from(net, converted, origin)
    missing = [each for each in transfers if each.outcome == "left"]
    if missing:
        which = "bias" if missing[0].index else "weight"
        raise ShapeError(f"{origin}: has no {which} for {missing[0].layer!r}, which the classifier needs.")
    return net, [_with_found(each, shapes.get((each.layer, each.index))) for each in transfers]


def _with_found(transfer: Transfer, found: Shape | None) -> Transfer:
    if found == transfer.found or found is None:
        return transfer
    return replace(transfer, found=found, outcome="coerced" if transfer.outcome == "taken" else transfer.outcome)


def start_from(net: Net, weights: Weights, origin: str) -> list[Transfer]:
    """Copy the weights that fit into `net`, expand score layers, and fill the parameters that the weights lack.

    Upsampling becomes bilinear; features without a described filler start by the msra filler. `origin`: the file of
    the weights. Raises `ShapeError` if nothing fits, or if a shape contradicts the net.
    """
    transfers = transplant(net, weights)
    if not any(each.outcome in ("taken", "coerced") for each in transfers):
        raise ShapeError(
            f"{origin}: none of its {len(weights)} layers ({', '.join([*weights][:3])}, ...) fits a layer of "
            f"{net.spec.name!r}; check that these weights are of this kind of net."
        )
    types = {layer.spec.name: layer.type for layer in net.layers}
    differing = {each.layer: each for each in transfers if each.outcome == "shape differs"}
    scores = [name for name in differing if name.startswith("score") and types[name] == "Convolution"]
    expanded = {(each.layer, each.index): each for each in expand_score(net, weights, scores)}
    transfers = [expanded.get((each.layer, each.index), each) for each in transfers]
    # Upsampling of another size has nothing to copy: it becomes bilinear for any number of classes.
    transfers = [
        replace(each, outcome="left") if each.layer in differing and types[each.layer] == "Deconvolution" else each
        for each in transfers
    ]
    for each in transfers:
        if each.outcome == "shape differs":
            raise ShapeError(f"{origin}: does not fit {net.spec.name!r}: {each}; check that they belong together.")
    left = [each.layer for each in transfers if each.outcome == "left" and each.index == 0]
    interp(net, [name for name in left if types[name] == "Deconvolution"])
    features = unfilled_features(net)
    fill(net, [name for name in left if name in features], Filler("msra"))
    return transfers


def renamed(layers: set[str], given: Sequence[Weights], suffixes: Sequence[str] = ("",)) -> dict[str, list[Array]]:
    """The weights of several files under the names of one net's `layers`.

    File i is for the trunk whose layers end in `suffixes[i]`; the last file also serves the trunks that have none of
    their own. Weights whose name with the suffix is not in `layers` keep their name; all keep their shape.
    """
    found: dict[str, list[Array]] = {}
    for i, suffix in enumerate(suffixes):
        for layer, arrays in given[min(i, len(given) - 1)].items():
            found.setdefault(layer + suffix if layer + suffix in layers else layer, list(arrays))
    return found
