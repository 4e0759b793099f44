"""Multiply by a factor for each channel, and add a bias (Caffe's Scale).

    y = x · scale + bias        dscale = Σ dy · x, dbias = Σ dy over the axes that are repeated; dx = dy · scale

The factor's shape is that of the bottom's axes `axis` to `axis` + `num_axes` − 1 (−1: all from `axis` on; 0: one
number), repeated over the others. It is a parameter, or the second bottom if there is one. Options: axis 1,
num_axes 1, filler constant 1, bias_term false, bias_filler constant 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite.errors import ShapeError, SpecError
from fcnlite.fillers import Filler
from fcnlite.layers.base import Array, Layer, ParamShape, Run, Shape, canonical_axis, register
from fcnlite.shapes import show


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

    def _factor(self, *bottom: Shape) -> tuple[Shape, int]:
        """The factor's shape and the axis of the bottom that its first one lies on."""
        x, o = bottom[0], self.options
        axis = 0 if o.num_axes == 0 and len(bottom) == 1 else canonical_axis(o.axis, len(x))
        if len(bottom) == 2:
            factor = bottom[1]
            if factor != x[axis : axis + len(factor)]:
                raise ShapeError(
                    f"the factor's shape {show(factor)} is not that of the bottom's axes from {axis} on, {show(x)}"
                )
            return factor, axis
        end = len(x) if o.num_axes == -1 else axis + o.num_axes
        if end > len(x):
            raise ShapeError(f"axis {axis} and num_axes {o.num_axes} go beyond the bottom's {len(x)} axes")
        return x[axis:end], axis

    def params(self, *bottom: Shape) -> list[ParamShape]:
        o, (shape, _) = self.options, self._factor(*bottom)
        factor = [ParamShape(shape, o.filler)] if len(bottom) == 1 else []
        return factor + ([ParamShape(shape, o.bias_filler)] if o.bias_term else [])

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        self._factor(*bottom)
        return [bottom[0]]

    def forward(self, bottom: list[Array], run: Run) -> list[Array]:
        x = bottom[0]
        shape, axis = self._factor(*(each.shape for each in bottom))
        aligned = shape + (1,) * (x.ndim - axis - len(shape))
        factor = bottom[1] if len(bottom) == 2 else run.params[0]
        y = x * factor.reshape(aligned)
        if self.options.bias_term:
            y += run.params[-1].reshape(aligned)
        return [y]

    def backward(self, dtop: list[Array], run: Run) -> list[Array | None]:
        (dy,), x = dtop, run.bottom[0]
        shape, axis = self._factor(*(each.shape for each in run.bottom))
        aligned = shape + (1,) * (x.ndim - axis - len(shape))
        repeated = tuple(each for each in range(x.ndim) if not axis <= each < axis + len(shape))
        two = len(run.bottom) == 2
        factor = run.bottom[1] if two else run.params[0]
        if self.options.bias_term and run.dparams[-1] is not None:
            dy.sum(axis=repeated, out=run.dparams[-1])
        dfactor = None
        if two and run.needs[1]:
            dfactor = np.asarray((dy * x).sum(axis=repeated))
        elif not two and run.dparams[0] is not None:
            (dy * x).sum(axis=repeated, out=run.dparams[0])
        dx = dy * factor.reshape(aligned) if run.needs[0] else None
        return [dx, dfactor][: len(run.bottom)]
