"""Softmax over one axis (Caffe's Softmax).

    p_k = exp(x_k) / Σ_j exp(x_j)        dx_k = p_k · (dp_k − Σ_j dp_j · p_j)

bottom x of any shape, classes k on `axis`; top p of the same shape. Option: axis 1. Subtracting the largest score
first does not change p and keeps exp from overflowing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer, canonical_axis
from fcnlite.layers.registry import register


@dataclass(frozen=True)
class SoftmaxOptions:
    engine: str = "DEFAULT"
    axis: int = 1


def softmax(x: Array, axis: int, out: Array | None = None) -> Array:
    """p_k = exp(x_k) / Σ_j exp(x_j) along `axis`."""
    p = np.subtract(x, x.max(axis=axis, keepdims=True), out=out)
    np.exp(p, out=p)
    p /= p.sum(axis=axis, keepdims=True)
    return p


@register
class Softmax(Layer):
    type = "Softmax"
    messages = ("softmax_param",)
    Options = SoftmaxOptions
    backward_reads = frozenset({"top"})
    writes_out = True

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        canonical_axis(self.options.axis, len(bottom[0]))
        return [bottom[0]]

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        return [softmax(bottom[0], self.options.axis, run.out)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        (dp,), (p,) = dtop, run.top
        return [p * (dp - (dp * p).sum(axis=self.options.axis, keepdims=True))]
