"""Whether values exceed a threshold (Caffe's Threshold).

    y = [x > threshold]

Blobs have any shape. There is no gradient. Option: threshold 0.
"""

from __future__ import annotations

from dataclasses import dataclass

from fcnlite.arrays import Array
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer
from fcnlite.layers.registry import register


@dataclass(frozen=True)
class ThresholdOptions:
    threshold: float = 0.0


@register
class Threshold(Layer):
    type = "Threshold"
    messages = ("threshold_param",)
    Options = ThresholdOptions
    no_gradient = frozenset({0})

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        (x,) = bottom
        return [(x > self.options.threshold).astype(x.dtype)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        return [None]
