"""Fully connected layer (Caffe's InnerProduct).

    Y = X · Wᵀ + bias        dX = dY · W, dW = dYᵀ · X, dbias = Σ dY over the rows

A row of X holds the K values of the bottom's axes from `axis` on; a row of Y holds num_output values. bottom N×C×H×W,
top N×num_output (in general: the bottom's axes before `axis`, then num_output); weight W num_output×K (with transpose
Wᵀ, K×num_output), bias num_output. Options: num_output; bias_term true; axis 1; transpose false; weight_filler and
bias_filler constant 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from fcnlite.arrays import Array, Shape
from fcnlite.description.fillers import Filler
from fcnlite.description.shapes import Placement
from fcnlite.errors import SpecError
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer, ParamShape, canonical_axis
from fcnlite.layers.registry import register
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
    writes_out = True

    def check(self) -> None:
        if self.options.num_output < 1:
            raise SpecError(f"num_output is {self.options.num_output}; expected at least 1.")

    def split(self, bottom: Shape) -> tuple[Shape, int]:
        """The axes before `axis`, and K, the number of values in the others."""
        axis = canonical_axis(self.options.axis, len(bottom))
        return bottom[:axis], prod(bottom[axis:])

    def _matrix(self, weight: Array) -> Array:
        """W, num_output×K, as in the formulas: a view, into which dW can be written too."""
        return weight.T if self.options.transpose else weight

    def params(self, *bottom: Shape) -> list[ParamShape]:
        o = self.options
        _, k = self.split(bottom[0])
        weight = (k, o.num_output) if o.transpose else (o.num_output, k)
        bias = [ParamShape((o.num_output,), o.bias_filler)] if o.bias_term else []
        return [ParamShape(weight, o.weight_filler), *bias]

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        kept, _ = self.split(bottom[0])
        return [(*kept, self.options.num_output)]

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        kept, k = self.split(bottom[0].shape)
        x, w = bottom[0].reshape(prod(kept), k), self._matrix(run.params[0])
        y = matmul(x, w.T, out=None if run.out is None else run.out.reshape(-1, self.options.num_output))
        if self.options.bias_term:
            y += run.params[1]
        return [y.reshape(*kept, self.options.num_output)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        kept, k = self.split(run.bottom[0].shape)
        x, w = run.bottom[0].reshape(prod(kept), k), self._matrix(run.params[0])
        dy = dtop[0].reshape(prod(kept), self.options.num_output)
        if run.dparams[0] is not None:
            matmul(dy.T, x, out=self._matrix(run.dparams[0]))
        if self.options.bias_term and run.dparams[1] is not None:
            dy.sum(axis=0, out=run.dparams[1])
        return [matmul(dy, w).reshape(run.bottom[0].shape) if run.needs[0] else None]

    def placement(self) -> tuple[Placement, Placement] | None:
        return None

    def macs(self, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
        kept, k = self.split(bottom[0])
        return prod(kept) * k * self.options.num_output
