"""x, weighted by its own sigmoid (Caffe's Swish).

    y = x · σ(beta · x)        dx = dy · (beta · y + σ(beta · x) · (1 − beta · y))

Blobs have any shape. Option: beta 1. Ramachandran et al., 2017.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite.arrays import Array
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer
from fcnlite.layers.elementwise import sigmoid
from fcnlite.layers.registry import register


@dataclass(frozen=True)
class SwishOptions:
    beta: float = 1.0


@register
class Swish(Layer):
    type = "Swish"
    messages = ("swish_param",)
    Options = SwishOptions
    backward_reads = frozenset({"bottom"})
    writes_out = True

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        (x,) = bottom
        return [np.multiply(x, sigmoid(self.options.beta * x), out=run.out)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        (dy,), (x,), beta = dtop, run.bottom, self.options.beta
        s = sigmoid(beta * x)
        return [dy * s * (1 + beta * x * (1 - s))]
