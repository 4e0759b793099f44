"""Concatenate blobs along one axis (Caffe's Concat).

    y = [x_1, x_2, ...]        [dx_1, dx_2, ...] = dy, split at the same places

On `axis` the bottoms' sizes add up to the top's; on the other axes they must be equal. Option: axis 1 (older name:
concat_dim).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.description.shapes import Placement, show
from fcnlite.errors import ShapeError
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer, along_picture, canonical_axis
from fcnlite.layers.options import either
from fcnlite.layers.registry import register


@dataclass(frozen=True)
class ConcatOptions:
    axis: int | None = None
    concat_dim: int | None = None


@register
class Concat(Layer):
    type = "Concat"
    messages = ("concat_param",)
    Options = ConcatOptions
    bottoms = (1, None)
    writes_out = True

    def check(self) -> None:
        self.axis = either("axis", self.options.axis, "concat_dim", self.options.concat_dim, default=1)

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        axis = canonical_axis(self.axis, len(bottom[0]))
        before, after = bottom[0][:axis], bottom[0][axis + 1 :]
        for shape in bottom[1:]:
            if len(shape) != len(bottom[0]) or shape[:axis] != before or shape[axis + 1 :] != after:
                found = f"{show(bottom[0])} and {show(shape)}"
                raise ShapeError(f"the bottoms may differ on axis {axis} only, found {found}")
        return [(*before, sum(shape[axis] for shape in bottom), *after)]

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        run.saved = np.cumsum([x.shape[self.axis] for x in bottom])[:-1]  # where each bottom but the first begins
        return [np.concatenate(bottom, axis=self.axis, out=run.out)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        return [np.ascontiguousarray(part) for part in np.split(dtop[0], run.saved, axis=self.axis)]

    def placement(self) -> tuple[Placement, Placement] | None:
        return None if along_picture(self.axis) else super().placement()
