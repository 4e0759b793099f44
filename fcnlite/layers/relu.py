"""Rectified linear unit (Caffe's ReLU).

    y = max(x, 0) + negative_slope · min(x, 0)        dx = dy · (1 where x > 0, else negative_slope)

Any shape. Option: negative_slope 0.

In place, the top overwrites the bottom. So backward reads the top, which is above 0 where the bottom is above 0. With a
negative_slope below 0 this fails: for x = −1 and a slope of −0.5, y = +0.5. Then backward reads the bottom, and the
layer does not run in place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite.arrays import Array
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer
from fcnlite.layers.registry import register


@dataclass(frozen=True)
class ReLUOptions:
    negative_slope: float = 0.0
    engine: str = "DEFAULT"


@register
class ReLU(Layer):
    type = "ReLU"
    messages = ("relu_param",)
    Options = ReLUOptions
    backward_reads = frozenset({"top"})
    overwrites = True
    writes_out = True

    def check(self) -> None:
        if self.options.negative_slope < 0:
            self.backward_reads, self.overwrites = frozenset({"bottom"}), False

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        (x,) = bottom
        slope = self.options.negative_slope
        if slope == 0:
            return [np.maximum(x, 0, out=run.out)]
        return [np.multiply(x, np.where(x > 0, 1, slope).astype(x.dtype), out=run.out)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        (dy,), (x_or_y,) = dtop, run.bottom or run.top
        slope = self.options.negative_slope
        if slope == 0:
            return [dy * (x_or_y > 0)]
        return [dy * np.where(x_or_y > 0, 1, slope).astype(dy.dtype)]
