"""Multinomial logistic loss of given probabilities (Caffe's MultinomialLogisticLoss).

    loss = −Σ_n log p[n, label_n] / N        dp[n, label_n] = −dloss / (p[n, label_n] · N), else 0

SoftmaxWithLoss computes the same from scores, with better accuracy. bottoms: probabilities p, N×…, all values of a
picture being those of classes; and N labels. top: the loss (a scalar). p is at least 1e-20, as in Caffe.
"""

from __future__ import annotations

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer
from fcnlite.layers.labels import check_picture_labels, read_labels
from fcnlite.layers.registry import register

SMALLEST = 1e-20


@register
class MultinomialLogisticLoss(Layer):
    type = "MultinomialLogisticLoss"
    bottoms = (2, 2)
    is_loss = True
    no_gradient = frozenset({1})
    over_batch = True

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        check_picture_labels(*bottom)
        return [()]

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        p, label = bottom
        probabilities = p.reshape(len(p), -1)
        label, _ = read_labels(label, probabilities.shape, 1, None)
        of_label = np.maximum(np.take_along_axis(probabilities, label, 1), p.dtype.type(SMALLEST))
        loss, n = run.shard.totals(float(-np.log(of_label).sum(dtype=np.float64)), len(p))
        run.saved = (of_label, label, n)
        return [np.asarray(loss / n, p.dtype)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        (dloss,), (of_label, label, n) = dtop, run.saved
        dp = np.zeros((len(label), int(np.prod(run.bottom_shapes[0][1:]))), of_label.dtype)
        np.put_along_axis(dp, label, -(dloss / n).astype(dp.dtype) / of_label, axis=1)
        return [dp.reshape(run.bottom_shapes[0]), None]

    def placement(self) -> None:
        return None
