"""Dropout (Caffe's Dropout).

    TRAIN: y = x · mask, dx = dy · mask        TEST: y = x, dx = dy

mask is 1 / (1 − dropout_ratio) with probability 1 − dropout_ratio, else 0, so the mean of y is x. It is a function of
the net's seed, the iteration and the layer's name. Any shape. Option: dropout_ratio 0.5. Srivastava et al., 2014.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite.arrays import Array
from fcnlite.errors import SpecError
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer
from fcnlite.layers.registry import register


@dataclass(frozen=True)
class DropoutOptions:
    dropout_ratio: float = 0.5


@register
class Dropout(Layer):
    type = "Dropout"
    messages = ("dropout_param",)
    Options = DropoutOptions
    overwrites = True
    writes_out = True

    def check(self) -> None:
        if not 0 < self.options.dropout_ratio < 1:
            raise SpecError(f"dropout_ratio is {self.options.dropout_ratio}; expected between 0 and 1.")
        self.aliases = self.phase == "TEST"

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        (x,) = bottom
        if self.phase == "TEST":
            return [x]
        kept = run.shard.random(run.rng(), x.shape) >= self.options.dropout_ratio
        run.saved = mask = kept * x.dtype.type(1 / (1 - self.options.dropout_ratio))
        return [np.multiply(x, mask, out=run.out)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        (dy,), mask = dtop, run.saved
        if self.phase == "TEST":
            return [dy]
        return [dy * mask]
