"""Copying parameters into a net by layer name, as the FCN reference's surgery does, but never across shapes that
contradict each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from fcnlite.errors import ShapeError, SpecError, nearest
from fcnlite.net import Net
from fcnlite.shapes import Shape, show

Array = np.ndarray[Any, np.dtype[Any]]
Weights = Mapping[str, Sequence[Array]]
"""Parameters by layer name: [weight, bias, ...]."""


@dataclass(frozen=True)
class Transfer:
    """What became of one parameter when weights were copied by name."""

    layer: str
    index: int
    outcome: str
    """`taken`, `coerced` (taken in another shape), `expanded` (by `expand_score`), `left` (the weights have none for
    it), `shape differs` or `unused` (the net has none for it)."""
    found: Shape | None
    wanted: Shape | None

    def __str__(self) -> str:
        shapes = (("found", self.found), ("wanted", self.wanted))
        told = ", ".join(f"{word} {show(shape)}" for word, shape in shapes if shape is not None)
        return f"{self.layer}[{self.index}]: {self.outcome} ({told})"


def transplant(net: Net, weights: Weights) -> list[Transfer]:
    """Copy parameters into `net` where layer name and shape agree; say of each what became of it.

    A parameter of another shape is coerced where that leaves no doubt of the order of its numbers: shapes that are
    equal but for leading ones (old files write a bias as 1×1×1×N), and the weight of a convolution that covers what an
    inner product flattens (O×C×H×W and O×C·H·W), either way.
    """
    dense = {layer.spec.name for layer in net.layers if layer.type in ("Convolution", "InnerProduct")}
    transfers = []
    for name, parameters in net.params.items():
        given = weights.get(name, ())
        for i, parameter in enumerate(parameters):
            found = np.asarray(given[i]) if i < len(given) else None
            if found is None:
                outcome = "left"
            elif found.shape == parameter.shape:
                outcome = "taken"
            elif _core(found.shape) == _core(parameter.shape) or (
                i == 0 and name in dense and _same_products(found.shape, parameter.shape)
            ):
                outcome = "coerced"
            else:
                outcome = "shape differs"
            if found is not None and outcome in ("taken", "coerced"):
                parameter.adopt(found.reshape(parameter.shape))
            transfers.append(Transfer(name, i, outcome, None if found is None else found.shape, parameter.shape))
    for name, given in weights.items():
        used = len(net.params.get(name, ()))
        transfers += [Transfer(name, i, "unused", np.shape(each), None) for i, each in enumerate(given) if i >= used]
    return transfers


def _core(shape: Shape) -> Shape:
    """The shape without leading ones."""
    leading = next((i for i, size in enumerate(shape) if size != 1), len(shape))
    return shape[leading:]


def _same_products(found: Shape, wanted: Shape) -> bool:
    """Whether one is the weight O×C×H×W of a convolution, the other that of the inner product O×C·H·W.

    Old files write the latter as 1×1×O×I.
    """
    if len(wanted) == 4:
        return _core(found) == _core((wanted[0], prod(wanted[1:])))
    return len(found) == 4 and (found[0], prod(found[1:])) == wanted


def expand_score(net: Net, weights: Weights, layers: Iterable[str] | None = None) -> list[Transfer]:
    """Copy score layers of fewer classes into `net`: their rows come first, those of the new classes are zero.

    As the FCN reference does it. By default all convolutions whose name begins with `score` and that `weights` have.
    Upsampling is not touched: `interp` makes it bilinear. Raises `SpecError` for a name that the net or the weights do
    not have, `ShapeError` where there are more classes than the net scores, or other features.
    """
    convolutions = [layer.spec.name for layer in net.layers if layer.type == "Convolution"]
    if layers is None:
        layers = [name for name in convolutions if name.startswith("score") and name in weights]
    transfers = []
    for name in layers:
        for where, known in (("convolution of the net", convolutions), ("layer of the weights", list(weights))):
            if name not in known:
                raise SpecError(f"{name!r} is not a {where}; {nearest(name, known)}")
        for i, (parameter, old) in enumerate(zip(net.params[name], map(np.asarray, weights[name]), strict=False)):
            found = old.shape
            if parameter.array.ndim == 1:
                old = old.reshape(-1)  # 1×1×1×N in old files
            if old.shape[1:] != parameter.shape[1:] or len(old) > len(parameter.array):
                raise ShapeError(
                    f"layer {name!r}: scores of shape {show(found)} cannot be expanded to {show(parameter.shape)}; "
                    "expected no more classes than the net has, and the same features."
                )
            values = np.zeros(parameter.shape, net.dtype)
            values[: len(old)] = old
            parameter.data = values
            outcome = "taken" if len(old) == len(values) else "expanded"
            transfers.append(Transfer(name, i, outcome, found, parameter.shape))
    return transfers


def add_depth(weight: Array) -> Array:
    """The first layer's weight, O×3×H×W, with a fourth input channel: the mean of the three.

    The FCN reference starts depth so too. With zeros, depth would say nothing at first; with the mean it is seen as a
    gray picture, whose edges the layer knows already. Raises `ShapeError` for other than three channels.
    """
    if weight.ndim != 4 or weight.shape[1] != 3:
        raise ShapeError(f"a weight of shape {show(weight.shape)} has no three input channels; expected O×3×H×W.")
    return np.concatenate([weight, weight.mean(axis=1, keepdims=True)], axis=1)
