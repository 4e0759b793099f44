"""A factor for each channel, and a sum (Axpy of SENet: hujie-frank/SENet).

    y = a · x + z        da = Σ dy · x over the positions, dx = a · dy, dz = dy

bottoms: the factors a, N×C or N×C×1×1; x and z, N×C×H×W. top N×C×H×W.
"""

from __future__ import annotations

from fcnlite.arrays import Array, Shape
from fcnlite.description.shapes import show
from fcnlite.errors import ShapeError
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer, four_axes
from fcnlite.layers.registry import register


@register
class Axpy(Layer):
    type = "Axpy"
    bottoms = (3, 3)
    backward_reads = frozenset({"bottom"})

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        factors, x, z = bottom
        n, channels, *_ = four_axes(x)
        if x != z or factors not in ((n, channels), (n, channels, 1, 1)):
            raise ShapeError(
                f"expected factors of {n}×{channels} and two blobs of one shape, found {show(factors)}, {show(x)} and "
                f"{show(z)}"
            )
        return [x]

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        factors, x, z = bottom
        return [factors.reshape(*x.shape[:2], 1, 1) * x + z]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        (dy,), (factors, x, _) = dtop, run.bottom
        return [(dy * x).sum((2, 3)).reshape(factors.shape), factors.reshape(*x.shape[:2], 1, 1) * dy, dy]

    def placement(self) -> None:
        return None
