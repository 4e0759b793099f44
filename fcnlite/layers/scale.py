"""Multiply by a factor for each channel, and add a bias (Caffe's Scale).

    y = x · factor + bias        dx = dy · factor; dfactor = Σ dy · x, dbias = Σ dy over the axes of repetition

The factor has the shape of the bottom's axes `axis` to `axis` + `num_axes` − 1 (num_axes −1: all from `axis` on; 0: it
is one number) and is repeated over the others; so is the bias. The factor is the first parameter, or the second bottom
if there is one; the bias is the last parameter. The top has the first bottom's shape. Options: axis 1, num_axes 1,
filler constant 1, bias_term false, bias_filler constant 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.description.fillers import Filler
from fcnlite.errors import SpecError
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer, ParamShape
from fcnlite.layers.broadcast import Broadcast
from fcnlite.layers.registry import register


@dataclass(frozen=True)
class ScaleOptions:
    axis: int = 1
    num_axes: int = 1
    filler: Filler = Filler(value=1.0)
    bias_term: bool = False
    bias_filler: Filler = Filler()


@register
class Scale(Layer):
    type = "Scale"
    messages = ("scale_param",)
    Options = ScaleOptions
    bottoms = (1, 2)
    backward_reads = frozenset({"bottom"})
    writes_out = True

    def check(self) -> None:
        if self.options.num_axes < -1:
            raise SpecError(f"num_axes is {self.options.num_axes}; expected -1 or more.")

    def _broadcast(self, bottom: Sequence[Shape]) -> Broadcast:
        return Broadcast.operand(bottom, self.options.axis, self.options.num_axes)

    def params(self, *bottom: Shape) -> list[ParamShape]:
        o, shape = self.options, self._broadcast(bottom).shape
        factor = [ParamShape(shape, o.filler)] if len(bottom) == 1 else []
        bias = [ParamShape(shape, o.bias_filler)] if o.bias_term else []
        return factor + bias

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        self._broadcast(bottom)  # raises if the second bottom does not fit
        return [bottom[0]]

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        x, factor, *bias = (*bottom, *run.params)
        run.saved = broadcast = self._broadcast([each.shape for each in bottom])
        y = np.multiply(x, broadcast.expand(factor), out=run.out)
        if self.options.bias_term:
            y += broadcast.expand(bias[0])
        return [y]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        (dy,), broadcast = dtop, run.saved
        x, factor, *_ = (*run.bottom, *run.params)
        dx = dy * broadcast.expand(factor) if run.needs[0] else None
        if self.options.bias_term and run.dparams[-1] is not None:
            run.dparams[-1][...] = broadcast.reduce(dy)
        if len(run.bottom) == 2:
            return [dx, broadcast.reduce(dy * x) if run.needs[1] else None]
        if run.dparams[0] is not None:
            run.dparams[0][...] = broadcast.reduce(dy * x)
        return [dx]
