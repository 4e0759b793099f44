"""The places of the largest values (Caffe's ArgMax). It has no gradient.

    y_j = the place of the j-th largest x, j = 1 … top_k; among equal values the later place first, as in Caffe

With `axis`, places are counted along it, and the top has size top_k on that axis: the places or, with out_max_val, the
values. Without `axis`, each picture is flattened, and the top is N×1×top_k or, with out_max_val, N×2×top_k, places
first; from N×C×H×W it has a fourth axis of size 1. Options: top_k 1, out_max_val false, axis (none).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.description.shapes import Placement
from fcnlite.errors import ShapeError, SpecError
from fcnlite.layers.base import ForwardRun, Layer, canonical_axis
from fcnlite.layers.registry import register


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
        o, (x,) = self.options, bottom
        if not x:
            raise ShapeError("expected a blob of at least one axis, found a scalar")
        if o.axis is None:
            candidates, rows = prod(x[1:]), 2 if o.out_max_val else 1
            top = (x[0], rows, o.top_k, *[1] * (len(x) - 3))
        else:
            axis = canonical_axis(o.axis, len(x))
            candidates, top = x[axis], (*x[:axis], o.top_k, *x[axis + 1 :])
        if o.top_k > candidates:
            raise ShapeError(f"top_k is {o.top_k} but there are only {candidates} values to choose from")
        return [top]

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        o, (x,) = self.options, bottom
        (shape,) = self.top_shapes(x.shape)
        if o.axis is None:
            x, axis = x.reshape(x.shape[0], -1), 1
        else:
            axis = o.axis
        # Search from the end to find the later place among equal values first.
        if o.top_k == 1:
            places = x.shape[axis] - 1 - np.flip(x, axis).argmax(axis, keepdims=True)
        else:
            places = np.flip(np.argsort(x, axis, kind="stable"), axis).take(range(o.top_k), axis)
        values = np.take_along_axis(x, places, axis)
        places = places.astype(x.dtype)
        if o.axis is not None:
            return [values if o.out_max_val else places]
        return [np.stack([places, values] if o.out_max_val else [places], axis=1).reshape(shape)]

    def placement(self) -> tuple[Placement, Placement] | None:
        return (Placement(), Placement()) if self.options.axis == 1 else None
