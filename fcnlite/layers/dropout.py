"""Dropout (Caffe's Dropout).

    TRAIN: y = x · mask, dx = dy · mask        TEST: y = x, dx = dy

mask is 1 / (1 − dropout_ratio) with probability 1 − dropout_ratio, else 0, so the mean of y is x. It is a function of
the net's seed, the iteration and the layer's name. Any shape. Option: dropout_ratio 0.5. Srivastava et al., 2014.

Options of forks: scale_train true (SSD: weiliu89/caffe); if false, mask is 1 instead, and TEST is y = x · (1 −
dropout_ratio). sample_weights_test false (Bayesian SegNet: alexgkendall/caffe-segnet); if true, TEST computes as TRAIN
does. The pictures of a batch then get different masks; for other masks in the next call, set the net's iteration.
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
    scale_train: bool = True
    sample_weights_test: bool = False


@register
class Dropout(Layer):
    type = "Dropout"
    messages = ("dropout_param",)
    Options = DropoutOptions
    overwrites = True
    writes_out = True

    def check(self) -> None:
        o = self.options
        if not 0 < o.dropout_ratio < 1:
            raise SpecError(f"dropout_ratio is {o.dropout_ratio}; expected between 0 and 1.")
        self.drops = self.phase == "TRAIN" or o.sample_weights_test
        kept = 1 - o.dropout_ratio
        self.factor = (1 / kept if o.scale_train else 1.0) if self.drops else 1.0 if o.scale_train else kept
        """What the values that are kept are multiplied by."""
        self.aliases = self.is_identity = not self.drops and self.factor == 1

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        (x,) = bottom
        if self.is_identity:
            return [x]
        run.saved = mask = x.dtype.type(self.factor)
        if self.drops:
            kept = run.shard.random(run.rng(), x.shape) >= self.options.dropout_ratio
            run.saved = mask = kept * mask
        return [np.multiply(x, mask, out=run.out)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        (dy,), mask = dtop, run.saved
        return [dy if self.is_identity else dy * mask]
