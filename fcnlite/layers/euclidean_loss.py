"""Half the squared distance between two blobs, averaged over the pictures (Caffe's EuclideanLoss).

    loss = Σ (a − b)² / 2N        da = dloss · (a − b) / N, db = −da

bottoms: a and b, of one shape, N×…; top: the loss (a scalar). No options.
"""

from __future__ import annotations

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.description.shapes import show
from fcnlite.errors import ShapeError
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer
from fcnlite.layers.registry import register


@register
class EuclideanLoss(Layer):
    type = "EuclideanLoss"
    bottoms = (2, 2)
    is_loss = True
    over_batch = True
    backward_reads = frozenset({"bottom"})

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        a, b = bottom
        if not a or a != b:
            raise ShapeError(f"expected two blobs of one shape, pictures first, found {show(a)} and {show(b)}")
        return [()]

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        a, b = bottom
        total, run.saved = run.shard.totals(np.square(a - b).sum(dtype=np.float64), len(a))
        return [np.asarray(total / (2 * run.saved), a.dtype)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        (dloss,), (a, b), pictures = dtop, run.bottom, run.saved
        da = (a - b) * (dloss / pictures).astype(a.dtype)
        return [da, -da if run.needs[1] else None]

    def placement(self) -> None:
        return None
