"""The same values in another shape (Caffe's Reshape and Flatten).

    y = x        dx = dy

The values keep their order in memory and only the shape changes, so top and bottom share memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from fcnlite.arrays import Array, Shape
from fcnlite.description.shapes import show
from fcnlite.errors import ShapeError, SpecError
from fcnlite.layers.base import BackwardRun, Class, ForwardRun, Layer, canonical_axis
from fcnlite.layers.input import BlobShape
from fcnlite.layers.options import MAX_AXES
from fcnlite.layers.registry import register


@dataclass(frozen=True)
class ReshapeOptions:
    shape: BlobShape = BlobShape()
    axis: int = 0
    num_axes: int = -1


@register
class Reshape(Layer):
    """The axes `axis` to `axis` + `num_axes` − 1 (−1: all from `axis` on) become `shape`.

    In shape, 0 copies the size of the bottom's axis at that place, and one size may be −1: it follows from the others.
    A negative `axis` counts from one past the last axis: −1 adds axes at the end. Options: shape { dim … }, axis 0,
    num_axes −1.
    """

    type: ClassVar[str] = "Reshape"
    messages = ("reshape_param",)
    Options: ClassVar[Class] = ReshapeOptions
    aliases = True

    def check(self) -> None:
        o = self.options
        if o.num_axes < -1:
            raise SpecError(f"num_axes is {o.num_axes}; expected -1 or more.")
        if any(size < -1 for size in o.shape.dim) or o.shape.dim.count(-1) > 1:
            raise SpecError(f"shape is {o.shape.dim}; expected sizes, 0 to copy one, and at most one -1.")

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        (x,), o = bottom, self.options
        first = o.axis if o.axis >= 0 else len(x) + 1 + o.axis
        end = len(x) if o.num_axes == -1 else first + o.num_axes
        if not 0 <= first <= end <= len(x):
            raise ShapeError(f"axis {o.axis} and num_axes {o.num_axes} go beyond the bottom's {len(x)} axes")
        sizes = list(o.shape.dim)
        for i, size in enumerate(sizes):
            if size == 0:
                if first + i >= len(x):
                    raise ShapeError(f"shape {o.shape.dim} copies axis {first + i}, but the bottom has {len(x)} axes")
                sizes[i] = x[first + i]
        if -1 in sizes:
            place = sizes.index(-1)
            known = prod(x[:first]) * prod(sizes[:place] + sizes[place + 1 :]) * prod(x[end:])
            sizes[place] = prod(x) // known if known else 0
        top = (*x[:first], *sizes, *x[end:])
        if len(top) > MAX_AXES:
            raise ShapeError(f"the top would have {len(top)} axes; expected at most {MAX_AXES}")
        if prod(top) != prod(x):
            raise ShapeError(f"{show(x)} cannot become {show(top)}: {prod(x)} values are not {prod(top)}")
        return [top]

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        (x,) = bottom
        run.saved = x.shape
        (shape,) = self.top_shapes(x.shape)
        return [x.reshape(shape)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        (dy,), shape = dtop, run.saved
        return [dy.reshape(shape)]

    def placement(self) -> None:
        return None


@dataclass(frozen=True)
class FlattenOptions:
    axis: int = 1
    end_axis: int = -1


@register
class Flatten(Reshape):
    """The axes `axis` to `end_axis` become one. Options: axis 1, end_axis −1."""

    type = "Flatten"
    messages = ("flatten_param",)
    Options = FlattenOptions

    def check(self) -> None:
        """Accept any two axes: their order is known only with the bottom's shape."""

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        (x,) = bottom
        first, last = (canonical_axis(axis, len(x)) for axis in (self.options.axis, self.options.end_axis))
        if first > last:
            raise ShapeError(f"axis {self.options.axis} comes after end_axis {self.options.end_axis} in {show(x)}")
        return [(*x[:first], prod(x[first : last + 1]), *x[last + 1 :])]
