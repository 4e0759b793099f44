"""Crop a blob to the size of another (Caffe's Crop).

    y[..., i, j] = x[..., i + offset_i, j + offset_j]        dx[..., i + offset_i, j + offset_j] = dy[..., i, j], else 0

bottoms: x and a reference with the same number of axes, of which only the sizes count; top: the sizes of x before
`axis` and those of the reference from `axis` on. Options: axis 2; offset 0, one for all cropped axes or one for each.

In an FCN, Crop aligns the upsampled scores with the picture or with the scores of a skip; `shapes.crop_offset` computes
the offset.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.description.shapes import Placement
from fcnlite.errors import ShapeError, SpecError
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer, canonical_axis
from fcnlite.layers.registry import register


@dataclass(frozen=True)
class CropOptions:
    axis: int = 2
    offset: tuple[int, ...] = ()


@register
class Crop(Layer):
    type = "Crop"
    messages = ("crop_param",)
    Options = CropOptions
    bottoms = (2, 2)
    no_gradient = frozenset({1})
    aliases = True

    def check(self) -> None:
        if any(offset < 0 for offset in self.options.offset):
            raise SpecError(f"offset is {self.options.offset}; expected at least 0.")

    def window(self, x: Shape, reference: Shape) -> tuple[slice, ...]:
        """The part of x that becomes the top. Raises `ShapeError` if it exceeds x."""
        if len(x) != len(reference):
            raise ShapeError(f"the blob has {len(x)} axes but its reference {len(reference)}")
        axis = canonical_axis(self.options.axis, len(x))
        offsets = self.options.offset or (0,)
        if len(offsets) == 1:
            offsets *= len(x) - axis
        if len(offsets) != len(x) - axis:
            raise ShapeError(f"{len(offsets)} offsets are given; expected one, or {len(x) - axis} from axis {axis} on")
        window = [slice(None)] * axis
        for i, offset in enumerate(offsets, start=axis):
            if offset + reference[i] > x[i]:
                raise ShapeError(
                    f"on axis {i}, offset {offset} and the reference's {reference[i]} go beyond the blob's {x[i]} "
                    f"by {offset + reference[i] - x[i]}"
                )
            window.append(slice(offset, offset + reference[i]))
        return tuple(window)

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        x, reference = bottom
        self.window(x, reference)  # raises if they do not fit
        axis = canonical_axis(self.options.axis, len(x))
        return [x[:axis] + reference[axis:]]

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        x, reference = bottom
        window = self.window(x.shape, reference.shape)
        run.saved = (x.shape, window)
        return [np.ascontiguousarray(x[window])]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        shape, window = run.saved
        dx = np.zeros(shape, dtop[0].dtype)
        dx[window] = dtop[0]
        return [dx, None]

    def placement(self) -> tuple[Placement, Placement]:
        first, offsets = self.options.axis % 4, self.options.offset or (0,)
        if len(offsets) == 1:
            offsets *= 4 - first
        of_axis = dict(enumerate(offsets, start=first))
        rows, columns = (Placement(offset=Fraction(of_axis.get(axis, 0))) for axis in (2, 3))
        return rows, columns
