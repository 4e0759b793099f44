"""Logistic loss of a sigmoid, for each score separately (Caffe's SigmoidCrossEntropyLoss).

    loss = −Σ_i (t_i · log σ(x_i) + (1 − t_i) · log(1 − σ(x_i))) / Z        dx_i = dloss · (σ(x_i) − t_i) / Z

Scores i whose target is ignore_label are left out of the sum, and their dx is 0. bottoms: scores x and the same number
of targets t, 0 to 1; top: the loss (a scalar). Options: ignore_label (none); normalization BATCH_SIZE and normalize
(see loss.py for Z).
"""

from __future__ import annotations

from math import prod

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.description.shapes import show
from fcnlite.errors import ShapeError
from fcnlite.layers.base import BackwardRun, ForwardRun
from fcnlite.layers.elementwise import sigmoid
from fcnlite.layers.loss import Loss
from fcnlite.layers.registry import register


@register
class SigmoidCrossEntropyLoss(Loss):
    type = "SigmoidCrossEntropyLoss"
    messages = ("loss_param",)
    default_normalization = "BATCH_SIZE"
    over_batch = True
    backward_reads = frozenset({"bottom"})

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        if prod(bottom[0]) != prod(bottom[1]):
            raise ShapeError(f"expected a target for each score, found {show(bottom[1])} for {show(bottom[0])}")
        return [()]

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        x, t = bottom
        t = t.reshape(x.shape)
        counted = np.ones(t.shape, bool) if self.options.ignore_label is None else t != self.options.ignore_label
        # log σ(x) = min(x, 0) − log(1 + exp(−|x|)), and log(1 − σ(x)) = log σ(x) − x: no logarithm of 0.
        log_sigmoid = np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))
        losses = np.where(counted, (1 - t) * x - log_sigmoid, 0)
        pictures = x.shape[0] if x.ndim else 1
        loss, z = self.of_batch(losses.sum(dtype=np.float64), counted, pictures, run.shard)
        run.saved = (counted, z)
        return [np.asarray(loss, x.dtype)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        (dloss,), (x, t), (counted, z) = dtop, run.bottom, run.saved
        dx = np.where(counted, sigmoid(x) - t.reshape(x.shape), 0)
        dx *= (dloss / z).astype(x.dtype)
        return [dx, None]
