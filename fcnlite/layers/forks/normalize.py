"""L2 normalisation with a learned scale (Normalize of ParseNet and SSD: weiliu89/caffe).

    y = scale · x / r,  r = √(Σ x² + eps)        dx = (scale · dy − x · Σ (scale · dy · x) / r²) / r
    dscale = Σ dy · x / r

The sums of r and dx are over the channels of each position, or, with across_spatial, over a whole picture. bottom and
top N×C×H×W; parameter scale: one number, or C. Options: across_spatial true; channel_shared true, for one number;
scale_filler constant 1; eps 1e-10.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.description.fillers import Filler
from fcnlite.errors import SpecError
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer, ParamShape, four_axes
from fcnlite.layers.registry import register


@dataclass(frozen=True)
class NormalizeOptions:
    across_spatial: bool = True
    channel_shared: bool = True
    scale_filler: Filler = Filler(value=1.0)
    eps: float = 1e-10


@register
class Normalize(Layer):
    type = "Normalize"
    messages = ("norm_param",)
    Options = NormalizeOptions
    backward_reads = frozenset({"bottom"})

    def check(self) -> None:
        o = self.options
        if o.eps < 0:
            raise SpecError(f"eps is {o.eps}; expected at least 0.")
        self.summed = (1, 2, 3) if o.across_spatial else (1,)

    def params(self, *bottom: Shape) -> list[ParamShape]:
        channels = four_axes(bottom[0])[1]
        return [ParamShape(() if self.options.channel_shared else (channels,), self.options.scale_filler)]

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        four_axes(bottom[0])
        return [bottom[0]]

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        (x,), (scale,) = bottom, run.params
        run.saved = r = np.sqrt(np.square(x).sum(self.summed, keepdims=True) + x.dtype.type(self.options.eps))
        return [x / r * scale.reshape(-1, 1, 1)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        (dy,), (x,), r, (scale,) = dtop, run.bottom, run.saved, run.params
        if run.dparams[0] is not None:
            each = (dy * x / r).sum((0, 2, 3))
            run.dparams[0][...] = each.sum() if self.options.channel_shared else each
        dx = dy * scale.reshape(-1, 1, 1)
        dx -= x * ((dx * x).sum(self.summed, keepdims=True) / np.square(r))
        dx /= r
        return [dx]
