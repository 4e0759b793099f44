"""The fast path: other ways to compute what layers say, with the same result within rounding.

`accelerated` gives, for a layer, an object whose `forward` takes the layer's place; None where the layer's own is
the way. Backward is the layer's own.
"""

from __future__ import annotations

from fcnlite.compiler.winograd import WinogradConvolution
from fcnlite.layers.base import Layer


def accelerated(layer: Layer) -> WinogradConvolution | None:
    """What computes this layer faster, if anything does."""
    return WinogradConvolution.of(layer)
