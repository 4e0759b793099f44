"""The places of the largest values (Caffe's ArgMax). It has no gradient.

With `axis`: the top has top_k on that axis, places along it (or, with out_max_val, the values). Without: each item of
the batch is flattened and the top is N×1×top_k, or N×2×top_k with out_max_val, places first; blobs of four axes give
N×1×top_k×1. Of equal values Caffe puts the later place first. Options: top_k 1, out_max_val false, axis.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from fcnlite.errors import ShapeError, SpecError
from fcnlite.layers.base import Array, Layer, Run, Shape, canonical_axis, register
from fcnlite.shapes import Placement


@dataclass(frozen=True)
class ArgMaxOptions:
    out_max_val: bool = False
    top_k: int = 1
    axis: int | None = None


@register
class ArgMax(Layer):
    type = "ArgMax"
    messages = ("argmax_param",)
    Options = ArgMaxOptions
    no_gradient = frozenset({0})

    def check(self) -> None:
        if self.options.top_k < 1:
            raise SpecError(f"top_k is {self.options.top_k}; expected at least 1.")

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        o, (shape,) = self.options, bottom
        candidates = prod(shape[1:]) if o.axis is None else shape[canonical_axis(o.axis, len(shape))]
        if o.top_k > candidates:
            raise ShapeError(f"top_k is {o.top_k} but there are only {candidates} values to choose from")
        if o.axis is not None:
            axis = canonical_axis(o.axis, len(shape))
            return [(*shape[:axis], o.top_k, *shape[axis + 1 :])]
        return [(shape[0], 2 if o.out_max_val else 1, o.top_k, *[1] * (len(shape) - 3))]

    def forward(self, bottom: list[Array], run: Run) -> list[Array]:
        o, (x,) = self.options, bottom
        (shape,) = self.top_shapes(x.shape)
        flat = x.reshape(x.shape[0], -1) if o.axis is None else x
        axis = 1 if o.axis is None else o.axis
        if o.top_k == 1:
            places = flat.shape[axis] - 1 - np.expand_dims(np.flip(flat, axis).argmax(axis), axis)
        else:
            places = np.flip(np.argsort(flat, axis, kind="stable"), axis)
            places = places.take(range(o.top_k), axis)
        values = np.take_along_axis(flat, places, axis)
        if o.axis is not None:
            return [values if o.out_max_val else places.astype(x.dtype)]
        parts = [places.astype(x.dtype), values] if o.out_max_val else [places.astype(x.dtype)]
        return [np.stack(parts, axis=1).reshape(shape)]

    def placement(self) -> tuple[Placement, Placement] | None:
        return (Placement(), Placement()) if self.options.axis == 1 else None
