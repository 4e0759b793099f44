"""Add a bias for each channel (Caffe's Bias).

    y = x + bias        dx = dy, dbias = Σ dy over the axes that are repeated

The bias's shape is that of the bottom's axes `axis` to `axis` + `num_axes` − 1 (−1: all from `axis` on; 0: one
number), repeated over the others. It is a parameter, or the second bottom if there is one. Options: axis 1,
num_axes 1, filler constant 0.
"""

from __future__ import annotations

from dataclasses import dataclass

from fcnlite.errors import SpecError
from fcnlite.fillers import Filler
from fcnlite.layers.base import Array, Layer, ParamShape, Run, Shape, register
from fcnlite.layers.repeated import Repeated


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

    def check(self) -> None:
        if self.options.num_axes < -1:
            raise SpecError(f"num_axes is {self.options.num_axes}; expected -1 or more.")

    def _bias(self, *bottom: Shape) -> Repeated:
        if len(bottom) == 2:
            return Repeated.of_bottom(bottom[0], self.options.axis, bottom[1])
        return Repeated.between(bottom[0], self.options.axis, self.options.num_axes)

    def params(self, *bottom: Shape) -> list[ParamShape]:
        return [ParamShape(self._bias(*bottom).shape, self.options.filler)] if len(bottom) == 1 else []

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        self._bias(*bottom)
        return [bottom[0]]

    def forward(self, bottom: list[Array], run: Run) -> list[Array]:
        run.saved = each = self._bias(*(blob.shape for blob in bottom))
        return [bottom[0] + each.laid(bottom[1] if len(bottom) == 2 else run.params[0])]

    def backward(self, dtop: list[Array], run: Run) -> list[Array | None]:
        (dy,), each = dtop, run.saved
        if len(self.spec.bottom) == 2:
            return [dy, each.summed(dy) if run.needs[1] else None]
        if run.dparams[0] is not None:
            run.dparams[0][...] = each.summed(dy)
        return [dy]
