"""Multiply by a factor for each channel, and add a bias (Caffe's Scale).

    y = x · factor + bias        dfactor = Σ dy · x, dbias = Σ dy over the axes that are repeated; dx = dy · factor

The factor's shape is that of the bottom's axes `axis` to `axis` + `num_axes` − 1 (−1: all from `axis` on; 0: one
number), repeated over the others. It is a parameter, or the second bottom if there is one. Options: axis 1,
num_axes 1, filler constant 1, bias_term false, bias_filler constant 0.
"""

from __future__ import annotations

from dataclasses import dataclass

from fcnlite.errors import SpecError
from fcnlite.fillers import Filler
from fcnlite.layers.base import Array, Layer, ParamShape, Run, Shape, register
from fcnlite.layers.repeated import Repeated


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

    def check(self) -> None:
        if self.options.num_axes < -1:
            raise SpecError(f"num_axes is {self.options.num_axes}; expected -1 or more.")

    def _factor(self, *bottom: Shape) -> Repeated:
        if len(bottom) == 2:
            return Repeated.of_bottom(bottom[0], self.options.axis, bottom[1])
        return Repeated.between(bottom[0], self.options.axis, self.options.num_axes)

    def params(self, *bottom: Shape) -> list[ParamShape]:
        o, shape = self.options, self._factor(*bottom).shape
        factor = [ParamShape(shape, o.filler)] if len(bottom) == 1 else []
        return factor + ([ParamShape(shape, o.bias_filler)] if o.bias_term else [])

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        self._factor(*bottom)
        return [bottom[0]]

    def forward(self, bottom: list[Array], run: Run) -> list[Array]:
        each = self._factor(*(blob.shape for blob in bottom))
        y = bottom[0] * each.laid(bottom[1] if len(bottom) == 2 else run.params[0])
        if self.options.bias_term:
            y += each.laid(run.params[-1])
        return [y]

    def backward(self, dtop: list[Array], run: Run) -> list[Array | None]:
        (dy,), x, two = dtop, run.bottom[0], len(run.bottom) == 2
        each = self._factor(*(blob.shape for blob in run.bottom))
        if self.options.bias_term and run.dparams[-1] is not None:
            run.dparams[-1][...] = each.summed(dy)
        if two:
            dfactor = each.summed(dy * x) if run.needs[1] else None
            return [dy * each.laid(run.bottom[1]) if run.needs[0] else None, dfactor]
        if run.dparams[0] is not None:
            run.dparams[0][...] = each.summed(dy * x)
        return [dy * each.laid(run.params[0]) if run.needs[0] else None]
