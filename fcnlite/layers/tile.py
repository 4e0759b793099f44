"""Repeat a blob along one axis (Caffe's Tile).

    y = [x, x, ...], `tiles` times        dx = Σ_i dy_i over the `tiles` parts of dy

The top is `tiles` times as large as the bottom on `axis`. Options: tiles; axis 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.description.shapes import Placement
from fcnlite.errors import SpecError
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer, along_picture, canonical_axis
from fcnlite.layers.registry import register


@dataclass(frozen=True)
class TileOptions:
    axis: int = 1
    tiles: int = 0


@register
class Tile(Layer):
    type = "Tile"
    messages = ("tile_param",)
    Options = TileOptions
    writes_out = True

    def check(self) -> None:
        if self.options.tiles < 1:
            raise SpecError(f"tiles is {self.options.tiles}; expected at least 1.")

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        (x,), axis = bottom, canonical_axis(self.options.axis, len(bottom[0]))
        return [(*x[:axis], x[axis] * self.options.tiles, *x[axis + 1 :])]

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        return [np.concatenate(bottom * self.options.tiles, axis=self.options.axis, out=run.out)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        return [np.add.reduce(np.split(dtop[0], self.options.tiles, axis=self.options.axis))]

    def placement(self) -> tuple[Placement, Placement] | None:
        return None if along_picture(self.options.axis) else super().placement()
