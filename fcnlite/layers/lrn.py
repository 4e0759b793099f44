"""Local response normalisation (Caffe's LRN; Krizhevsky et al., 2012).

    y = x · s^−beta,  s = k + alpha · 1/n Σ_region x²
    dx = dy · s^−beta − 2 · alpha · beta · x · 1/n Σ_region (dy · y / s)

The region of a value is the value itself and its neighbours: n = local_size values along the channels
(ACROSS_CHANNELS), or n = local_size² values over rows and columns (WITHIN_CHANNEL, where k is always 1, as in Caffe); x
is 0 beyond the edge. The paper's formula has no 1/n: its alpha is Caffe's divided by n. bottom N×C×…, top the same.
Options: local_size 5, odd; alpha 1; beta 0.75; norm_region ACROSS_CHANNELS; k 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.description.shapes import show
from fcnlite.errors import ShapeError, SpecError
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer
from fcnlite.layers.registry import register


@dataclass(frozen=True)
class LRNOptions:
    local_size: int = 5
    alpha: float = 1.0
    beta: float = 0.75
    norm_region: Literal["ACROSS_CHANNELS", "WITHIN_CHANNEL"] = "ACROSS_CHANNELS"
    k: float = 1.0
    engine: str = "DEFAULT"


@register
class LRN(Layer):
    type = "LRN"
    messages = ("lrn_param",)
    Options = LRNOptions
    backward_reads = frozenset({"bottom", "top"})
    writes_out = True

    def check(self) -> None:
        o = self.options
        if o.local_size < 1 or o.local_size % 2 == 0:
            raise SpecError(f"local_size is {o.local_size}; expected an odd number, so that the region has a middle.")
        self.across = o.norm_region == "ACROSS_CHANNELS"

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        if len(bottom[0]) < 2:
            raise ShapeError(f"expected a blob of at least two axes, N×C, found {show(bottom[0])}")
        return [bottom[0]]

    def _region_mean(self, values: Array) -> Array:
        """1/n Σ_region values."""
        size = self.options.local_size
        axes = [1] if self.across else range(2, values.ndim)
        for axis in axes:
            values = _window_sum(values, axis, size)
        return values / size ** len(axes)

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        (x,), o = bottom, self.options
        run.saved = s = (o.k if self.across else 1) + o.alpha * self._region_mean(np.square(x))
        return [np.multiply(x, s**-o.beta, out=run.out)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        (dy,), (x,), (y,), s, o = dtop, run.bottom, run.top, run.saved, self.options
        return [dy * s**-o.beta - 2 * o.alpha * o.beta * x * self._region_mean(dy * y / s)]


def _window_sum(values: Array, axis: int, size: int) -> Array:
    """The sum of the `size` values around each place along `axis`, with zeros beyond the ends."""
    total = values.copy()
    here, there = np.moveaxis(total, axis, 0), np.moveaxis(values, axis, 0)
    for distance in range(1, min(size // 2 + 1, len(there))):
        here[distance:] += there[:-distance]
        here[:-distance] += there[distance:]
    return total
