"""Rectified linear unit with an upper bound (ReLU6 of MobileNet's ports: chuanqi305/MobileNet-SSD).

    y = min(max(x, 0), 6)        dx = dy where 0 < x < 6, else 0

Blobs have any shape.
"""

from __future__ import annotations

import numpy as np

from fcnlite.arrays import Array
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer
from fcnlite.layers.registry import register


@register
class ReLU6(Layer):
    type = "ReLU6"
    backward_reads = frozenset({"bottom"})
    writes_out = True

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        return [np.clip(bottom[0], 0, 6, out=run.out)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        (dy,), (x,) = dtop, run.bottom
        return [dy * ((x > 0) & (x < 6))]
