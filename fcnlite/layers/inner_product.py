"""Fully connected layer (Caffe's InnerProduct).

    y = x · Wᵀ + bias        dW = dyᵀ · x        dx = dy · W

x is the bottom, flattened from `axis` on (K values); top: the bottom's axes before `axis`, then num_output. Weight
num_output×K (K×num_output with transpose), bias num_output. Options: num_output; bias_term true; axis 1; transpose
false; weight_filler and bias_filler constant 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from fcnlite.errors import SpecError
from fcnlite.fillers import Filler
from fcnlite.layers.base import Array, Layer, ParamShape, Run, Shape, canonical_axis, register
from fcnlite.shapes import Placement
from fcnlite.threads import matmul


@dataclass(frozen=True)
class InnerProductOptions:
    num_output: int = 0
    bias_term: bool = True
    weight_filler: Filler = Filler()
    bias_filler: Filler = Filler()
    axis: int = 1
    transpose: bool = False


@register
class InnerProduct(Layer):
    type = "InnerProduct"
    messages = ("inner_product_param",)
    Options = InnerProductOptions
    backward_reads = frozenset({"bottom"})

    def check(self) -> None:
        if self.options.num_output < 1:
            raise SpecError(f"num_output is {self.options.num_output}; expected at least 1.")

    def _split(self, bottom: Shape) -> tuple[Shape, int]:
        """The axes that stay, and the number of values that are summed over."""
        axis = canonical_axis(self.options.axis, len(bottom))
        return bottom[:axis], prod(bottom[axis:])

    def params(self, *bottom: Shape) -> list[ParamShape]:
        o = self.options
        _, inner = self._split(bottom[0])
        weight = (inner, o.num_output) if o.transpose else (o.num_output, inner)
        bias = [ParamShape((o.num_output,), o.bias_filler)] if o.bias_term else []
        return [ParamShape(weight, o.weight_filler), *bias]

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        return [(*self._split(bottom[0])[0], self.options.num_output)]

    def forward(self, bottom: list[Array], run: Run) -> list[Array]:
        (x,), weight = bottom, run.params[0]
        kept, inner = self._split(x.shape)
        y = matmul(x.reshape(prod(kept), inner), weight if self.options.transpose else weight.T)
        if self.options.bias_term:
            y += run.params[1]
        return [y.reshape(*kept, self.options.num_output)]

    def backward(self, dtop: list[Array], run: Run) -> list[Array | None]:
        (x,), weight = run.bottom, run.params[0]
        kept, inner = self._split(x.shape)
        flat, dy = x.reshape(prod(kept), inner), dtop[0].reshape(prod(kept), self.options.num_output)
        if run.dparams[0] is not None:
            a, b = (flat, dy) if self.options.transpose else (dy, flat)
            matmul(a.T, b, out=run.dparams[0])
        if self.options.bias_term and run.dparams[1] is not None:
            dy.sum(axis=0, out=run.dparams[1])
        if not run.needs[0]:
            return [None]
        return [matmul(dy, weight.T if self.options.transpose else weight).reshape(x.shape)]

    def placement(self) -> tuple[Placement, Placement] | None:
        return None

    def macs(self, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
        kept, inner = self._split(bottom[0])
        return prod(kept) * inner * self.options.num_output
