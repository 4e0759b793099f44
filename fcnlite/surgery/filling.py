"""Initial values of parameters that are not loaded: fillers and bilinear upsampling."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable

import numpy as np

from fcnlite.description.fillers import Filler, bilinear_kernel
from fcnlite.description.fillers import fill as fill_array
from fcnlite.description.shapes import show
from fcnlite.engine.parameter import generator
from fcnlite.errors import ShapeError, SpecError, nearest
from fcnlite.layers import Layer
from fcnlite.net import Net


def interp(net: Net, layers: Iterable[str] | None = None) -> None:
    """Make deconvolutions interpolate each class bilinearly: a bilinear window on the diagonal, zero elsewhere.

    The FCN reference does the same. `layers`: by default all Deconvolution layers. Raises `SpecError` for a name that
    is not a deconvolution, `ShapeError` if input and output channels, or height and width of the window, differ.
    """
    known = [layer.spec.name for layer in net.layers if layer.type == "Deconvolution"]
    for name in known if layers is None else layers:
        if name not in known:
            raise SpecError(f"{name!r} is not a Deconvolution layer; {nearest(name, known)}")
        weight = net.params[name][0]
        rows, columns, height, width = weight.shape
        if (rows != columns and columns != 1) or height != width:
            raise ShapeError(
                f"layer {name!r}: its weight of shape {show(weight.shape)} cannot interpolate; expected as many inputs "
                "as outputs (or one group for each) and equal height and width."
            )
        values = np.zeros(weight.shape, net.dtype)
        values[range(rows), range(rows) if columns > 1 else 0] = bilinear_kernel(height)
        weight.data = values


def fill(net: Net, layers: Iterable[str], filler: Filler) -> None:
    """Fill the weights of `layers` by `filler`; biases stay. Random numbers follow from the net's seed.

    Raises `SpecError` for a name that is not a layer with parameters.
    """
    for name in layers:
        if name not in net.params:
            raise SpecError(f"{name!r} is not a layer with parameters; {nearest(name, net.params)}")
        weight = net.params[name][0]
        weight.data = fill_array(filler, weight.shape, net.dtype, generator(net.seed, 0, f"{name}[0]"))


def unfilled_features(net: Net) -> list[str]:
    """The layers that compute features, not scores, and whose description has no weight filler.

    A new net starts them by the msra filler.
    """
    return [
        layer.spec.name
        for layer in net.layers
        if layer.type in ("Convolution", "InnerProduct")
        and "weight_filler" not in layer.spec.options
        and not layer.spec.name.startswith(("score", "fc8"))
    ]


def zero_upsampling(net: Net) -> list[str]:
    """The deconvolutions whose weights are zero, or will be: they output zero and pass no gradient down."""

    def is_zero(layer: Layer) -> bool:
        if net.sized and layer.spec.name in net.params:
            return not net.params[layer.spec.name][0].array.any()
        filler = layer.options.weight_filler
        return bool(filler.type == "constant" and filler.value == 0)

    return [layer.spec.name for layer in net.layers if layer.type == "Deconvolution" and is_zero(layer)]


def warn_of_zero_upsampling(net: Net, origin: str | os.PathLike[str]) -> None:
    """Warn of each deconvolution that starts at zero; `origin`: the file that describes the net."""
    for name in zero_upsampling(net):
        warnings.warn(
            f"{origin}: the deconvolution {name!r} starts at zero, so its scores are zero and no layer below learns; "
            "call fcnlite.surgery.interp(net), or load weights for it.",
            stacklevel=3,
        )
