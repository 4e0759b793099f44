"""Broadcasting a small array along some axes of a blob: what Scale, Bias and PReLU share.

For example, a bias of shape C covers axis 1 of N×C×H×W: as C×1×1 it broadcasts, and its gradient is a sum over N, H and
W.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.description.shapes import show
from fcnlite.errors import ShapeError
from fcnlite.layers.base import canonical_axis


@dataclass(frozen=True)
class Broadcast:
    """An array of `shape`, whose first axis is the axis `axis` of a blob with `axes` axes."""

    shape: Shape
    axis: int
    axes: int

    @staticmethod
    def operand(bottom: Sequence[Shape], axis: int, num_axes: int) -> Broadcast:
        """The operand of Scale and Bias: the second bottom or, with only one bottom, a parameter."""
        if len(bottom) == 2:
            return Broadcast.of_bottom(bottom[0], axis, bottom[1])
        return Broadcast.between(bottom[0], axis, num_axes)

    @staticmethod
    def between(x: Shape, axis: int, num_axes: int) -> Broadcast:
        """An operand that covers x's axes `axis` to `axis` + `num_axes` − 1; −1: all from `axis` on; 0: one number."""
        first = 0 if num_axes == 0 else canonical_axis(axis, len(x))
        end = len(x) if num_axes == -1 else first + num_axes
        if end > len(x):
            raise ShapeError(f"axis {axis} and num_axes {num_axes} go beyond the bottom's {len(x)} axes")
        return Broadcast(x[first:end], first, len(x))

    @staticmethod
    def of_bottom(x: Shape, axis: int, small: Shape) -> Broadcast:
        """An operand of shape `small` that covers x's axes from `axis` on. Raises `ShapeError` if the sizes differ."""
        first = canonical_axis(axis, len(x)) if small else 0
        if small != x[first : first + len(small)]:
            raise ShapeError(
                f"the second bottom's shape {show(small)} is not that of the first one's axes from {axis} on, {show(x)}"
            )
        return Broadcast(small, first, len(x))

    def expand(self, small: Array) -> Array:
        """`small` with axes of size 1 appended, so that it broadcasts over the blob."""
        return small.reshape(self.shape + (1,) * (self.axes - self.axis - len(self.shape)))

    def reduce(self, large: Array) -> Array:
        """The sum of `large`, of the blob's shape, over the axes that the small array does not cover."""
        covered = range(self.axis, self.axis + len(self.shape))
        return np.asarray(large.sum(axis=tuple(axis for axis in range(self.axes) if axis not in covered)))
