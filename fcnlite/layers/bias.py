"""Add a bias for each channel (Caffe's Bias).

    y = x + bias        dx = dy, dbias = Σ dy over the axes along which the bias is repeated

The bias has the shape of the bottom's axes `axis` to `axis` + `num_axes` − 1 (num_axes −1: all from `axis` on; 0: it is
one number) and is repeated over the others. It is a parameter, or the second bottom if there is one. The top has the
first bottom's shape. Options: axis 1, num_axes 1, filler constant 0.
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
class BiasOptions:
    axis: int = 1
    num_axes: int = 1
    filler: Filler = Filler()


@register
class Bias(Layer):
    type = "Bias"
    messages = ("bias_param",)
    Options = BiasOptions
    bottoms = (1, 2)
    writes_out = True

    def check(self) -> None:
        if self.options.num_axes < -1:
            raise SpecError(f"num_axes is {self.options.num_axes}; expected -1 or more.")

    def _broadcast(self, bottom: Sequence[Shape]) -> Broadcast:
        return Broadcast.operand(bottom, self.options.axis, self.options.num_axes)

    def params(self, *bottom: Shape) -> list[ParamShape]:
        return [ParamShape(self._broadcast(bottom).shape, self.options.filler)] if len(bottom) == 1 else []

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        self._broadcast(bottom)  # raises if the second bottom does not fit
        return [bottom[0]]

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        x, bias = (*bottom, *run.params)
        run.saved = broadcast = self._broadcast([each.shape for each in bottom])
        return [np.add(x, broadcast.expand(bias), out=run.out)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        (dy,), broadcast = dtop, run.saved
        if len(self.spec.bottom) == 2:
            return [dy, broadcast.reduce(dy) if run.needs[1] else None]
        if run.dparams[0] is not None:
            run.dparams[0][...] = broadcast.reduce(dy)
        return [dy]
