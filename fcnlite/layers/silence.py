"""Read blobs that no other layer reads, so that the net does not return them (Caffe's Silence).

It has no tops and no options; the bottoms get no gradient.
"""

from __future__ import annotations

from fcnlite.arrays import Array, Shape
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer
from fcnlite.layers.registry import register


@register
class Silence(Layer):
    type = "Silence"
    bottoms = (1, None)
    tops = (0, 0)

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        return []

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        return []

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        return [None] * len(self.spec.bottom)
