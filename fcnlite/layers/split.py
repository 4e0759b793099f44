"""One blob under several names (Caffe's Split, which Caffe inserts where a blob has several readers).

    y_1 = y_2 = ... = x        dx = Σ_i dy_i

The tops share the bottom's memory. No options.
"""

from __future__ import annotations

from functools import reduce

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer
from fcnlite.layers.registry import register


@register
class Split(Layer):
    type = "Split"
    tops = (1, None)
    aliases = True

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        return [bottom[0]] * len(self.spec.top)

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        return bottom * len(self.spec.top)

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        return [reduce(np.add, dtop)]
