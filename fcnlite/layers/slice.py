"""Split a blob into several along one axis (Caffe's Slice): the inverse of Concat.

    [y_1, y_2, ...] = x, split at slice_point        dx = [dy_1, dy_2, ...]

On `axis` the tops' sizes add up to the bottom's; the other axes keep their sizes. Options: axis 1 (older name:
slice_dim); slice_point, where each top but the first begins (default: equal parts).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.description.shapes import Placement
from fcnlite.errors import ShapeError, SpecError
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer, along_picture, canonical_axis
from fcnlite.layers.options import either
from fcnlite.layers.registry import register


@dataclass(frozen=True)
class SliceOptions:
    axis: int | None = None
    slice_dim: int | None = None
    slice_point: tuple[int, ...] = ()


@register
class Slice(Layer):
    type = "Slice"
    messages = ("slice_param",)
    Options = SliceOptions
    tops = (1, None)
    writes_out = True

    def check(self) -> None:
        o, tops = self.options, len(self.spec.top)
        self.axis = either("axis", o.axis, "slice_dim", o.slice_dim, default=1)
        if o.slice_point and len(o.slice_point) != tops - 1:
            raise SpecError(f"slice_point has {len(o.slice_point)} values for {tops} tops; expected {tops - 1}.")

    def _bounds(self, x: Shape) -> list[int]:
        """The places where the parts begin, and the place where the last one ends."""
        size, tops = x[canonical_axis(self.axis, len(x))], len(self.spec.top)
        if not self.options.slice_point and size % tops:
            raise ShapeError(
                f"{size} places on axis {self.axis} cannot be split into {tops} equal tops; add slice_point"
            )
        bounds = [0, *(self.options.slice_point or range(size // tops, size, size // tops)), size]
        if any(start >= stop for start, stop in pairwise(bounds)):
            raise ShapeError(f"slice_point {bounds[1:-1]} must rise from 1 to less than the {size} places on the axis")
        return bounds

    def windows(self, x: Shape) -> list[tuple[slice, ...]]:
        """The part of the bottom in each top."""
        axis = canonical_axis(self.axis, len(x))
        return [(*[slice(None)] * axis, slice(*part)) for part in pairwise(self._bounds(x))]

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        (x,) = bottom
        bounds, axis = self._bounds(x), canonical_axis(self.axis, len(x))
        return [(*x[:axis], stop - start, *x[axis + 1 :]) for start, stop in pairwise(bounds)]

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        (x,) = bottom
        parts = [x[window] for window in self.windows(x.shape)]
        tops = run.outs or [np.empty(part.shape, x.dtype) for part in parts]
        for top, part in zip(tops, parts, strict=True):
            top[...] = part
        return list(tops)

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        return [np.concatenate(dtop, axis=self.axis)]

    def placement(self) -> tuple[Placement, Placement] | None:
        return None if along_picture(self.axis) else super().placement()
