"""Sum over the last axes of a blob (Caffe's Reduction).

    SUM:   y = coeff · Σ x              dx = dy · coeff
    MEAN:  y = coeff · Σ x / count      dx = dy · coeff / count
    ASUM:  y = coeff · Σ |x|            dx = dy · coeff · sign(x)
    SUMSQ: y = coeff · Σ x²             dx = dy · coeff · 2x

Each sum is over the axes from `axis` on, count values; the top has the axes before them, so axis 0 gives a scalar.
Options: operation SUM, axis 0, coeff 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer, canonical_axis
from fcnlite.layers.registry import register


@dataclass(frozen=True)
class ReductionOptions:
    operation: Literal["SUM", "ASUM", "SUMSQ", "MEAN"] = "SUM"
    axis: int = 0
    coeff: float = 1.0


@register
class Reduction(Layer):
    type = "Reduction"
    messages = ("reduction_param",)
    Options = ReductionOptions
    backward_reads = frozenset({"bottom"})

    def _rows(self, x: Array) -> Array:
        """x as a matrix with one row for each value of the top."""
        kept = x.shape[: canonical_axis(self.options.axis, x.ndim)]
        return x.reshape(prod(kept), -1)

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        (x,) = bottom
        return [x[: canonical_axis(self.options.axis, len(x))]]

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        (x,), o = bottom, self.options
        (shape,) = self.top_shapes(x.shape)
        rows = self._rows(x)
        sums = {
            "SUM": lambda: rows.sum(axis=1),
            "MEAN": lambda: rows.mean(axis=1),
            "ASUM": lambda: np.abs(rows).sum(axis=1),
            "SUMSQ": lambda: np.square(rows).sum(axis=1),
        }[o.operation]()
        return [(o.coeff * sums).reshape(shape)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        (dy,), (x,), o = dtop, run.bottom, self.options
        rows = self._rows(x)
        slope = {
            "SUM": lambda: np.ones_like(rows),
            "MEAN": lambda: np.full_like(rows, 1 / rows.shape[1]),
            "ASUM": lambda: np.sign(rows),
            "SUMSQ": lambda: 2 * rows,
        }[o.operation]()
        return [(o.coeff * dy.reshape(-1, 1) * slope).reshape(x.shape)]

    def placement(self) -> None:
        return None
