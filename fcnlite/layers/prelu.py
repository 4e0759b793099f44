"""Rectified linear unit with a learned slope for each channel (Caffe's PReLU; He et al., 2015).

    y = max(x, 0) + slope · min(x, 0)        dx = dy · (1 where x > 0, else slope), dslope = Σ dy · min(x, 0)

bottom N×C×…, top the same; slope C, or one number with channel_shared; dslope is a sum over all axes but the slope's.
Options: filler constant 0.25, channel_shared false.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.description.fillers import Filler
from fcnlite.description.shapes import show
from fcnlite.errors import ShapeError
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer, ParamShape
from fcnlite.layers.broadcast import Broadcast
from fcnlite.layers.registry import register


@dataclass(frozen=True)
class PReLUOptions:
    filler: Filler = Filler(value=0.25)
    channel_shared: bool = False


@register
class PReLU(Layer):
    type = "PReLU"
    messages = ("prelu_param",)
    Options = PReLUOptions
    backward_reads = frozenset({"bottom"})
    writes_out = True

    def _broadcast(self, x: Shape) -> Broadcast:
        if len(x) < 2:
            raise ShapeError(f"expected a blob of at least two axes, N×C, found {show(x)}")
        return Broadcast(() if self.options.channel_shared else x[1:2], 1, len(x))

    def params(self, *bottom: Shape) -> list[ParamShape]:
        # A single slope is a blob with one axis, as Caffe saves it.
        return [ParamShape(self._broadcast(bottom[0]).shape or (1,), self.options.filler)]

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        (x,) = bottom
        slope = self._broadcast(x.shape).expand(run.params[0])
        return [np.add(np.maximum(x, 0), slope * np.minimum(x, 0), out=run.out)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        (dy,), (x,) = dtop, run.bottom
        broadcast = self._broadcast(x.shape)
        slope = broadcast.expand(run.params[0])
        if run.dparams[0] is not None:
            run.dparams[0][...] = broadcast.reduce(dy * np.minimum(x, 0))
        return [dy * np.where(x > 0, 1, slope)]
