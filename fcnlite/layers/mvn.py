"""Mean and variance normalisation of each picture (Caffe's MVN).

    y = (x − mean(x)) / (σ + eps)        dx = (dy − mean(dy) − y · mean(dy · y)) / (σ + eps)

Means and the standard deviation σ are taken over the axes after the channels or, with across_channels, over all axes
but the first. Without normalize_variance: y = x − mean(x), dx = dy − mean(dy). The gradient is Caffe's, which is exact
if eps is far below σ. bottom N×C×…, top the same. Options: normalize_variance true, across_channels false, eps 1e-9.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite.arrays import Array
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer
from fcnlite.layers.registry import register


@dataclass(frozen=True)
class MVNOptions:
    normalize_variance: bool = True
    across_channels: bool = False
    eps: float = 1e-9


@register
class MVN(Layer):
    type = "MVN"
    messages = ("mvn_param",)
    Options = MVNOptions
    backward_reads = frozenset({"top"})
    writes_out = True

    def _mean(self, values: Array) -> Array:
        """The mean of each picture, or of each of its channels."""
        axes = tuple(range(1 if self.options.across_channels else 2, values.ndim))
        return values.mean(axis=axes, keepdims=True)

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        (x,) = bottom
        y = np.subtract(x, self._mean(x), out=run.out)
        if self.options.normalize_variance:
            run.saved = np.sqrt(self._mean(np.square(y))) + self.options.eps
            y /= run.saved
        return [y]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        (dy,), (y,) = dtop, run.top
        dx = dy - self._mean(dy)
        if self.options.normalize_variance:
            dx -= y * self._mean(dy * y)
            dx /= run.saved
        return [dx]
