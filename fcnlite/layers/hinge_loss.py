"""Hinge loss of one-against-all classifiers (Caffe's HingeLoss).

    m[n, k] = max(0, 1 + s · x[n, k]),  s = −1 where k = label_n, else 1
    L1: loss = Σ m / N, dx = dloss · s · [m > 0] / N        L2: loss = Σ m² / N, dx = dloss · 2 · s · m / N

bottoms: scores x, N×…, all values of a picture being the scores of classes; and N labels. top: the loss (a scalar).
Option: norm L1 (or L2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer
from fcnlite.layers.labels import check_picture_labels, read_labels
from fcnlite.layers.registry import register


@dataclass(frozen=True)
class HingeLossOptions:
    norm: Literal["L1", "L2"] = "L1"


@register
class HingeLoss(Layer):
    type = "HingeLoss"
    messages = ("hinge_loss_param",)
    Options = HingeLossOptions
    bottoms = (2, 2)
    is_loss = True
    no_gradient = frozenset({1})
    over_batch = True

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        check_picture_labels(*bottom)
        return [()]

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        x, label = bottom
        scores = x.reshape(len(x), -1)
        side = np.ones_like(scores)
        np.put_along_axis(side, read_labels(label, scores.shape, 1, None)[0], -1, axis=1)
        margin = np.maximum(0, 1 + side * scores)
        power = 1 if self.options.norm == "L1" else 2
        loss, n = run.shard.totals(float((margin**power).sum(dtype=np.float64)), len(x))
        run.saved = (margin, side, n)
        return [np.asarray(loss / n, x.dtype)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        (dloss,), (margin, side, n) = dtop, run.saved
        slope = margin > 0 if self.options.norm == "L1" else 2 * margin
        dx = side * slope * (dloss / n).astype(side.dtype)
        return [dx.reshape(run.bottom_shapes[0]), None]

    def placement(self) -> None:
        return None
