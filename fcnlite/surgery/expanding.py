"""Parameters for more channels than the given weights have: scores of more classes, a first layer that takes depth."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from fcnlite.arrays import Array
from fcnlite.description.shapes import show
from fcnlite.errors import ShapeError, SpecError, nearest
from fcnlite.net import Net
from fcnlite.surgery.transplanting import Transfer, Weights


def expand_score(net: Net, weights: Weights, layers: Iterable[str] | None = None) -> list[Transfer]:
    """Copy score layers of fewer classes into `net`: the given classes come first, the new ones score zero.

    The FCN reference does the same. `layers`: by default all convolutions in `weights` whose name begins with `score`.
    Upsampling is not changed; `interp` makes it bilinear. Raises `SpecError` for a name that the net or the weights
    lack, `ShapeError` if the weights have more classes than the net scores, or other features.
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

    The FCN reference starts depth in the same way. With zeros the net would ignore depth at first; with the mean the
    layer treats depth as a gray picture, whose edges it already detects. Raises `ShapeError` unless there are three
    channels.
    """
    if weight.ndim != 4 or weight.shape[1] != 3:
        raise ShapeError(
            f"a weight of shape {show(weight.shape)} has other than three input channels; expected O×3×H×W."
        )
    return np.concatenate([weight, weight.mean(axis=1, keepdims=True)], axis=1)
