"""Binomial normal log likelihood (Caffe's BNLL): a smooth ReLU.

    y = log(1 + eˣ)        dx = dy · σ(x)

Computed as max(x, 0) + log(1 + e^−|x|), which never overflows. Blobs have any shape.
"""

from __future__ import annotations

import numpy as np

from fcnlite.arrays import Array
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer
from fcnlite.layers.elementwise import sigmoid
from fcnlite.layers.registry import register


@register
class BNLL(Layer):
    type = "BNLL"
    backward_reads = frozenset({"bottom"})
    writes_out = True

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        (x,) = bottom
        return [np.add(np.maximum(x, 0), np.log1p(np.exp(-np.abs(x))), out=run.out)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        (dy,), (x,) = dtop, run.bottom
        return [dy * sigmoid(x)]
