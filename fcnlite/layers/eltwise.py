"""Element-wise sum, product or maximum of blobs of one shape (Caffe's Eltwise): the skip fusion of the paper's FCNs.

    SUM:  y = Σ_i coeff_i · x_i        dx_i = dy · coeff_i
    PROD: y = Π_i x_i                  dx_i = dy · Π_{j≠i} x_j
    MAX:  y = max_i x_i                dx_i = dy · [i is the winner]

Among equal maxima the winner is, as in Caffe, the second of the first two bottoms, then the earliest. Options:
operation SUM; coeff 1 for each bottom, only with SUM; stable_prod_grad is accepted, but PROD always uses the stable
gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Literal

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.description.shapes import show
from fcnlite.errors import ShapeError, SpecError
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer
from fcnlite.layers.registry import register


@dataclass(frozen=True)
class EltwiseOptions:
    operation: Literal["PROD", "SUM", "MAX"] = "SUM"
    coeff: tuple[float, ...] = ()
    stable_prod_grad: bool = True


@register
class Eltwise(Layer):
    type = "Eltwise"
    messages = ("eltwise_param",)
    Options = EltwiseOptions
    bottoms = (2, None)
    backward_reads = frozenset({"bottom"})
    writes_out = True

    def check(self) -> None:
        o = self.options
        if o.coeff and o.operation != "SUM":
            raise SpecError(f"coeff requires operation SUM, found {o.operation}.")
        if o.coeff and len(o.coeff) != len(self.spec.bottom):
            raise SpecError(f"{len(o.coeff)} coeff for {len(self.spec.bottom)} bottoms; expected one for each.")

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        for other in bottom[1:]:
            if other != bottom[0]:
                raise ShapeError(
                    f"the bottoms must have one shape, found {show(bottom[0])} and {show(other)}; "
                    "put a Crop before this layer"
                )
        return [bottom[0]]

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        x, o = bottom, self.options
        if o.operation == "SUM":
            terms = [x_i * x_i.dtype.type(c) for x_i, c in zip(x, o.coeff, strict=True)] if o.coeff else x
            return [_accumulate(np.add, terms, run.out)]
        if o.operation == "PROD":
            return [_accumulate(np.multiply, x, run.out)]
        return [_accumulate(np.maximum, x, run.out)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        (dy,), x, o = dtop, run.bottom, self.options
        if o.operation == "SUM":
            return [dy * dy.dtype.type(c) for c in o.coeff] if o.coeff else [dy] * len(x)
        if o.operation == "PROD":
            return [dy * reduce(np.multiply, x[:i] + x[i + 1 :]) for i in range(len(x))]
        winner = np.where(x[0] > x[1], 0, 1)
        best = np.maximum(x[0], x[1])
        for i, x_i in enumerate(x[2:], start=2):
            winner[x_i > best] = i
            best = np.maximum(best, x_i)
        return [dy * (winner == i) for i in range(len(x))]


def _accumulate(function: np.ufunc, x: Sequence[Array], out: Array | None) -> Array:
    """`function` of the first two, then of the result and the third, and so on."""
    *others, last = x
    return function(reduce(function, others), last, out=out)
