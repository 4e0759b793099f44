"""The fast path: other ways to compute what layers say, with the same result within rounding."""

from __future__ import annotations

from fcnlite.compiler.winograd import WinogradConvolution
from fcnlite.layers.base import Layer


def accelerated(layer: Layer) -> Layer:
    """A layer that computes the same faster, in float32; `layer` itself where there is none."""
    return WinogradConvolution(layer.spec, layer.phase) if WinogradConvolution.suits(layer) else layer
