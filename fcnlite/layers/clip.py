"""Values between two bounds (Caffe's Clip).

    y = min(max(x, min), max)        dx = dy where min ≤ x ≤ max, else 0

Blobs have any shape. Options: min and max, both required.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite.arrays import Array
from fcnlite.errors import SpecError
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer
from fcnlite.layers.registry import register


@dataclass(frozen=True)
class ClipOptions:
    min: float | None = None
    max: float | None = None


@register
class Clip(Layer):
    type = "Clip"
    messages = ("clip_param",)
    Options = ClipOptions
    backward_reads = frozenset({"bottom"})
    writes_out = True

    def check(self) -> None:
        o = self.options
        if o.min is None or o.max is None:
            raise SpecError("expected both min and max.")
        if o.min > o.max:
            raise SpecError(f"min is {o.min}; expected at most max, {o.max}.")

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        return [np.clip(bottom[0], self.options.min, self.options.max, out=run.out)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        (dy,), (x,), o = dtop, run.bottom, self.options
        return [dy * ((x >= o.min) & (x <= o.max))]
