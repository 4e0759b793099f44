"""Copying parameters into a net by layer name.

The FCN reference's surgery does the same, but also copies between shapes that contradict each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.description.shapes import show
from fcnlite.formats import caffe
from fcnlite.net import Net

Weights = Mapping[str, Sequence[Array]]
"""Parameters by layer name: [weight, bias, ...]."""


@dataclass(frozen=True)
class Transfer:
    """The outcome for one parameter of copying weights by name."""

    layer: str
    index: int
    outcome: str
    """`taken`, `coerced` (taken and reshaped), `expanded` (by `expand_score`), `left` (the weights lack it, or lack
    other statistics of its layer), `shape differs` or `unused` (the net lacks it)."""
    found: Shape | None
    """The shape in the weights."""
    wanted: Shape | None
    """The shape in the net."""

    def __str__(self) -> str:
        shapes = (("found", self.found), ("wanted", self.wanted))
        sizes = ", ".join(f"{word} {show(shape)}" for word, shape in shapes if shape is not None)
        return f"{self.layer}[{self.index}]: {self.outcome} ({sizes})"


def transplant(net: Net, weights: Weights) -> list[Transfer]:
    """Copy parameters into `net` where layer name and shape agree; return the outcome for each.

    A parameter of another shape is reshaped where the order of its numbers is certain: shapes that are equal apart from
    leading ones (old files write a bias as 1×1×1×N), and the weight of a convolution over the blob that an inner
    product flattens (O×C×H×W and O×C·H·W), in both directions. The statistics of a BatchNorm are taken together or not
    at all, because the sums of mean and variance mean nothing without the number that divides them. In NVIDIA's Caffe a
    BatchNorm has five blobs: those of a BatchNorm and of the Scale after it, `NAME_scale_bias`.
    """
    weights = caffe.split_scales(weights, [layer.spec.name for layer in net.layers if layer.type == "BatchNorm"])
    dense = {layer.spec.name for layer in net.layers if layer.type in ("Convolution", "InnerProduct")}
    transfers = []
    for name, parameters in net.params.items():
        given = [np.asarray(each) for each in weights.get(name, ())[: len(parameters)]]
        outcomes = [
            _outcome(found.shape, parameter.shape, name in dense and i == 0)
            for i, (found, parameter) in enumerate(zip(given, parameters, strict=False))
        ]
        outcomes += ["left"] * (len(parameters) - len(given))
        if all(each.statistic for each in parameters) and not {"taken", "coerced"}.issuperset(outcomes):
            outcomes = ["left" if each in ("taken", "coerced") else each for each in outcomes]
        for i, (parameter, outcome) in enumerate(zip(parameters, outcomes, strict=True)):
            if outcome in ("taken", "coerced"):
                parameter.adopt(given[i].reshape(parameter.shape))
            found_shape = given[i].shape if i < len(given) else None
            transfers.append(Transfer(name, i, outcome, found_shape, parameter.shape))
    for name, arrays in weights.items():
        used = len(net.params.get(name, ()))
        transfers += [Transfer(name, i, "unused", np.shape(each), None) for i, each in enumerate(arrays) if i >= used]
    return transfers


def _outcome(found: Shape, wanted: Shape, dense: bool) -> str:
    """The outcome for a parameter; `dense`: it is the weight of a convolution or an inner product."""
    if found == wanted:
        return "taken"
    coerced = _core(found) == _core(wanted) or (dense and _same_products(found, wanted))
    return "coerced" if coerced else "shape differs"


def _core(shape: Shape) -> Shape:
    """The shape without leading ones."""
    leading = next((i for i, size in enumerate(shape) if size != 1), len(shape))
    return shape[leading:]


def _same_products(found: Shape, wanted: Shape) -> bool:
    """Whether one shape is a convolution's O×C×H×W and the other the inner product's O×C·H·W.

    Old files write the latter as 1×1×O×I.
    """
    if len(wanted) == 4:
        return _core(found) == _core((wanted[0], prod(wanted[1:])))
    return len(found) == 4 and (found[0], prod(found[1:])) == wanted
