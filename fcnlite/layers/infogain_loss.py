"""Multinomial logistic loss of a softmax, weighted by a matrix H to balance classes (Caffe's InfogainLoss).

    p = softmax(x),  loss = −Σ_i Σ_k H[label_i, k] · log p[i, k] / Z
    dx[i, k] = dloss · (p[i, k] · Σ_j H[label_i, j] − H[label_i, k]) / Z

If H is the identity, this is SoftmaxWithLoss; a diagonal H with one weight per class lets rare classes count as much as
frequent ones. Positions i whose label is ignore_label are left out of the sum, and their dx is 0.

bottoms: scores x (classes k on `axis`), labels and, unless the option `matrix` holds it, H, with K² values for K
classes; tops: the loss (a scalar) and, if named, the probabilities p. Options: matrix, the K² values of H row by row;
source, the binaryproto file that holds them (caffe.read_net reads it into matrix); ignore_label (none); normalization
VALID and normalize (see loss.py for Z); axis 1. Inside the logarithm p is at least 1e-20, as in Caffe; the gradient
ignores this bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.errors import ShapeError, SpecError
from fcnlite.layers.base import BackwardRun, ForwardRun
from fcnlite.layers.labels import check_label_shape, read_labels
from fcnlite.layers.loss import Loss, LossOptions
from fcnlite.layers.registry import register
from fcnlite.layers.softmax import softmax

SMALLEST = 1e-20


@dataclass(frozen=True)
class InfogainLossOptions(LossOptions):
    matrix: tuple[float, ...] = ()
    source: str = ""
    axis: int = 1


@register
class InfogainLoss(Loss):
    type = "InfogainLoss"
    messages = ("loss_param", "infogain_loss_param")
    Options = InfogainLossOptions
    bottoms = (2, 3)
    tops = (1, 2)
    no_gradient = frozenset({1, 2})
    writes_out = True
    over_batch = True
    backward_reads = frozenset({"top"})  # `saved` holds the probabilities, which are the second top

    def check(self) -> None:
        super().check()
        o = self.options
        if o.source and not o.matrix:
            raise SpecError(f"source {o.source!r} was not read; caffe.read_net does that, or give `matrix` instead.")
        if (len(self.spec.bottom) == 3) == bool(o.matrix):
            raise SpecError("expected the matrix once: as a third bottom, or by the option matrix or source.")

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        axis = check_label_shape(bottom[0], bottom[1], self.options.axis)
        classes = bottom[0][axis]
        values = prod(bottom[2]) if len(bottom) == 3 else len(self.options.matrix)
        if values != classes**2:
            raise ShapeError(f"the matrix has {values} values; expected {classes**2} for {classes} classes")
        return [(), bottom[0]][: len(self.spec.top)]

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        x, label, *matrix = bottom
        axis = check_label_shape(x.shape, label.shape, self.options.axis)
        label, counted = read_labels(label, x.shape, axis, self.options.ignore_label)
        p = softmax(x, axis, *run.outs[1:])
        classes = x.shape[axis]
        h = np.asarray(matrix[0] if matrix else self.options.matrix, x.dtype).reshape(classes, classes)
        # H[label_i, k] in the shape of the scores, 0 where the label is ignored.
        h = np.where(counted, np.moveaxis(h[label.squeeze(axis)], -1, axis), 0)
        losses = h * -np.log(np.maximum(p, x.dtype.type(SMALLEST)))
        loss, z = self.of_batch(losses.sum(dtype=np.float64), counted, prod(x.shape[:axis]), run.shard)
        run.saved = (p, h, axis, z)
        return [np.asarray(loss, x.dtype), p][: len(self.spec.top)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        dloss, (p, h, axis, z) = dtop[0], run.saved
        dx = p * h.sum(axis=axis, keepdims=True) - h
        dx *= (dloss / z).astype(p.dtype)
        return [dx, None, None][: len(self.spec.bottom)]
