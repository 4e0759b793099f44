"""Reorder the axes of a blob (Permute of SSD: weiliu89/caffe).

    y = x with axis i of the top being axis order[i] of the bottom        dx = dy with the axes ordered back

Option: order; the axes that it does not name follow in their order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.errors import ShapeError, SpecError
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer
from fcnlite.layers.registry import register


@dataclass(frozen=True)
class PermuteOptions:
    order: tuple[int, ...] = ()


@register
class Permute(Layer):
    type = "Permute"
    messages = ("permute_param",)
    Options = PermuteOptions

    def check(self) -> None:
        order = self.options.order
        if len(set(order)) != len(order) or any(axis < 0 for axis in order):
            raise SpecError(f"order is {order}; expected different axes, counted from 0.")

    def axes(self, count: int) -> tuple[int, ...]:
        """The axis of the bottom for each axis of the top. Raises `ShapeError` for an axis that is not there."""
        order = self.options.order
        if any(axis >= count for axis in order):
            raise ShapeError(f"order {order} names axes outside a blob of {count} axes")
        return (*order, *(axis for axis in range(count) if axis not in order))

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        return [tuple(bottom[0][axis] for axis in self.axes(len(bottom[0])))]

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        return [np.array(bottom[0].transpose(self.axes(bottom[0].ndim)), order="C")]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        return [np.array(dtop[0].transpose(np.argsort(self.axes(dtop[0].ndim))), order="C")]

    def placement(self) -> None:
        return None
