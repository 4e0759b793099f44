"""Multinomial logistic loss of a softmax, over all positions of a picture (Caffe's SoftmaxWithLoss).

    p = softmax(x),  loss = −Σ_i log p[i, label_i] / Z        dx[i, k] = dloss · (p[i, k] − [k = label_i]) / Z

Positions i whose label is ignore_label are left out of the sum, and their dx is 0. bottoms: scores x (classes k on
`axis`) and labels, one for each position; tops: the loss (a scalar) and, if named, the probabilities p. Options:
ignore_label (none); normalization VALID and normalize (see loss.py for Z); axis 1. Inside the logarithm p is at least
the smallest normal float, as in Caffe, so that a position adds at most 87.34; the gradient ignores this bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.layers.base import BackwardRun, ForwardRun
from fcnlite.layers.labels import check_label_shape, read_labels
from fcnlite.layers.loss import Loss, LossOptions
from fcnlite.layers.registry import register
from fcnlite.layers.softmax import softmax

SMALLEST = np.finfo(np.float32).tiny


@dataclass(frozen=True)
class SoftmaxWithLossOptions(LossOptions):
    axis: int = 1
    engine: str = "DEFAULT"


@register
class SoftmaxWithLoss(Loss):
    type = "SoftmaxWithLoss"
    messages = ("loss_param", "softmax_param")
    Options = SoftmaxWithLossOptions
    tops = (1, 2)
    writes_out = True
    over_batch = True
    backward_reads = frozenset({"top"})  # `saved` holds the probabilities, which are the second top

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        check_label_shape(bottom[0], bottom[1], self.options.axis)
        return [(), bottom[0]][: len(self.spec.top)]

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        x, label = bottom
        axis = check_label_shape(x.shape, label.shape, self.options.axis)
        label, counted = read_labels(label, x.shape, axis, self.options.ignore_label)
        p = softmax(x, axis, *run.outs[1:])
        of_label = np.take_along_axis(p, label, axis)
        losses = np.where(counted, -np.log(np.maximum(of_label, SMALLEST)), 0)
        loss, z = self.of_batch(losses.sum(dtype=np.float64), counted, prod(x.shape[:axis]), run.shard)
        run.saved = (p, label, counted, axis, z)
        return [np.asarray(loss, x.dtype), p][: len(self.spec.top)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        dloss, (p, label, counted, axis, z) = dtop[0], run.saved
        dx = p.copy()
        np.put_along_axis(dx, label, np.take_along_axis(p, label, axis) - 1, axis)
        dx *= (dloss / z).astype(p.dtype)
        np.copyto(dx, 0, where=~counted)
        return [dx, None]
