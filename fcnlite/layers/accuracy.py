"""The share of positions whose label is among the top_k scores (Caffe's Accuracy). It has no gradient.

    accuracy = Σ_i [rank_i ≤ top_k] / the number of positions i,  rank_i = Σ_k [x[i, k] ≥ x[i, label_i]]

Positions whose label is ignore_label do not count. A score equal to the label's score ranks before it. bottoms: scores
(classes on `axis`) and labels; tops: the accuracy (a scalar) and, if named, the accuracy of each class (a vector with
one value for each class), 0 for a class without labels. Options: top_k 1, axis 1, ignore_label (none).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.errors import ShapeError, SpecError
from fcnlite.layers.base import ForwardRun, Layer
from fcnlite.layers.labels import check_label_shape, read_labels
from fcnlite.layers.registry import register


@dataclass(frozen=True)
class AccuracyOptions:
    top_k: int = 1
    axis: int = 1
    ignore_label: int | None = None


@register
class Accuracy(Layer):
    type = "Accuracy"
    messages = ("accuracy_param",)
    Options = AccuracyOptions
    bottoms = (2, 2)
    tops = (1, 2)
    no_gradient = frozenset({0, 1})
    over_batch = True

    def check(self) -> None:
        if self.options.top_k < 1:
            raise SpecError(f"top_k is {self.options.top_k}; expected at least 1.")

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        axis = check_label_shape(bottom[0], bottom[1], self.options.axis)
        classes = bottom[0][axis]
        if self.options.top_k > classes:
            raise ShapeError(f"top_k is {self.options.top_k} but there are only {classes} classes")
        return [(), (classes,)][: len(self.spec.top)]

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        x, label = bottom
        axis = check_label_shape(x.shape, label.shape, self.options.axis)
        label, counted = read_labels(label, x.shape, axis, self.options.ignore_label)
        rank = (x >= np.take_along_axis(x, label, axis)).sum(axis=axis, keepdims=True)
        right = counted & (rank <= self.options.top_k)
        classes = x.shape[axis]
        counts = np.stack([np.bincount(label[each], minlength=classes) for each in (right, counted)])
        right_of_class, count_of_class = run.shard.ranks.sum(counts)
        accuracy = np.asarray(right_of_class.sum() / max(count_of_class.sum(), 1), x.dtype)
        of_class = (right_of_class / np.maximum(count_of_class, 1)).astype(x.dtype)
        return [accuracy, of_class][: len(self.spec.top)]

    def placement(self) -> None:
        return None
