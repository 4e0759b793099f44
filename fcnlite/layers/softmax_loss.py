"""Multinomial logistic loss of a softmax, over all positions of a picture (Caffe's SoftmaxWithLoss).

    p = softmax(x),  loss = −Σ_i w_i · log p[i, label_i] / Z
    dx[i, k] = dloss · w_i · (p[i, k] − [k = label_i]) / Z

Positions i whose label is ignore_label are left out of the sum, and their dx is 0. bottoms: scores x (classes k on
`axis`) and labels, one for each position; tops: the loss (a scalar) and, if named, the probabilities p. Options:
ignore_label (none); normalization VALID and normalize (see loss.py for Z); axis 1. Inside the logarithm p is at least
the smallest normal float, as in Caffe, so that a position adds at most 87.34; the gradient ignores this bound.

The weight w_i of a position is 1. Options of a fork (SegNet: alexgkendall/caffe-segnet): weight_by_label_freqs false;
if true, w_i is the number in class_weighting for the position's label, or, without class_weighting, as in the fork's
first version, 1 / the number of positions in the batch that have this label. Z does not depend on the weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.errors import ShapeError
from fcnlite.layers.base import BackwardRun, ForwardRun
from fcnlite.layers.labels import Labels, check_label_shape, read_labels
from fcnlite.layers.loss import Loss, LossOptions
from fcnlite.layers.registry import register
from fcnlite.layers.softmax import softmax
from fcnlite.ranks.shard import Shard

SMALLEST = np.finfo(np.float32).tiny


@dataclass(frozen=True)
class SoftmaxWithLossOptions(LossOptions):
    axis: int = 1
    weight_by_label_freqs: bool = False
    class_weighting: tuple[float, ...] = ()
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
        axis, weights = check_label_shape(bottom[0], bottom[1], self.options.axis), self.options.class_weighting
        if self.options.weight_by_label_freqs and weights and len(weights) != bottom[0][axis]:
            raise ShapeError(f"class_weighting has {len(weights)} numbers for {bottom[0][axis]} classes")
        return [(), bottom[0]][: len(self.spec.top)]

    def importance(self, label: Labels, counted: Array, classes: int, shard: Shard, dtype: np.dtype[Any]) -> Array:
        """w_i of each position, 0 where the label is ignored."""
        if not self.options.weight_by_label_freqs:
            return counted.astype(dtype)
        weights = self.options.class_weighting
        if not weights:
            frequencies = shard.totals(*np.bincount(label[counted], minlength=classes))
            weights = 1 / np.maximum(frequencies, 1)
        return np.asarray(weights, dtype)[label] * counted

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        x, label = bottom
        axis = check_label_shape(x.shape, label.shape, self.options.axis)
        label, counted = read_labels(label, x.shape, axis, self.options.ignore_label)
        p = softmax(x, axis, *run.outs[1:])
        of_label = np.take_along_axis(p, label, axis)
        weight = self.importance(label, counted, x.shape[axis], run.shard, x.dtype)
        losses = np.where(counted, weight * -np.log(np.maximum(of_label, SMALLEST)), 0)
        loss, z = self.of_batch(losses.sum(dtype=np.float64), counted, prod(x.shape[:axis]), run.shard)
        run.saved = (p, label, counted, weight, axis, z)
        return [np.asarray(loss, x.dtype), p][: len(self.spec.top)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        dloss, (p, label, counted, weight, axis, z) = dtop[0], run.saved
        dx = p.copy()
        np.put_along_axis(dx, label, np.take_along_axis(p, label, axis) - 1, axis)
        dx *= weight * (dloss / z).astype(p.dtype)
        np.copyto(dx, 0, where=~counted)
        return [dx, None]
