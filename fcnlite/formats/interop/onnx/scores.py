"""Layers that compute scores or choose among them: InnerProduct, Softmax, ArgMax, Reduction."""

from __future__ import annotations

from typing import Any

import numpy as np

from fcnlite.formats.interop.onnx.graph import Converter, OnnxGraph, OnnxValue
from fcnlite.layers.base import canonical_axis


def _inner_product(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    (x,), o = bottom, layer.options
    kept = canonical_axis(o.axis, len(x.shape))
    flat = graph.reshaped(x.name, [*[0] * kept, -1])
    weight = graph.param(layer, 0)
    if kept == 1:
        bias = [graph.param(layer, 1)] if o.bias_term else []
        return [graph.add("Gemm", flat, weight, *bias, transB=0 if o.transpose else 1)]
    y = graph.add("MatMul", flat, weight if o.transpose else graph.add("Transpose", weight, perm=[1, 0]))
    return [graph.add("Add", y, graph.param(layer, 1)) if o.bias_term else y]


def _softmax(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    return [graph.add("Softmax", bottom[0].name, axis=layer.options.axis)]


def _argmax(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    """ArgMax; among equal values, Caffe takes the one with the larger index."""
    (x,), o = bottom, layer.options
    value = graph.reshaped(x.name, [0, -1]) if o.axis is None else x.name
    axis = 1 if o.axis is None else canonical_axis(o.axis, len(x.shape))
    if o.top_k == 1 and not o.out_max_val:
        parts = [_float(graph, graph.add("ArgMax", value, axis=axis, select_last_index=1))]
    else:
        # TopK takes the smaller index among equal values, so it gets the axis in reverse order.
        last = graph.add("Sub", graph.add("Shape", value, start=axis, end=axis + 1), graph.integers(1))
        start = graph.integers(np.iinfo(np.int64).min)
        reverse = graph.add("Slice", value, last, start, graph.integers(axis), graph.integers(-1))
        values, indices = graph.add_many("TopK", reverse, graph.integers(o.top_k), outputs=2, axis=axis)
        parts = [_float(graph, graph.add("Sub", last, indices)), values]
    if o.axis is not None:
        return parts[-1:] if o.out_max_val else parts[:1]
    stacked = [graph.add("Unsqueeze", part, graph.integers(1)) for part in parts[: 2 if o.out_max_val else 1]]
    return [graph.reshaped(graph.add("Concat", *stacked, axis=1), [0, 0, 0, *[1] * (len(x.shape) - 3)])]


def _float(graph: OnnxGraph, value: str) -> str:
    import onnx

    return graph.add("Cast", value, to=onnx.TensorProto.FLOAT)


def _reduction(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    (x,), o = bottom, layer.options
    axes = graph.integers(*range(canonical_axis(o.axis, len(x.shape)), len(x.shape)))
    name = {"SUM": "ReduceSum", "ASUM": "ReduceL1", "SUMSQ": "ReduceSumSquare", "MEAN": "ReduceMean"}[o.operation]
    return [graph.scaled(graph.add(name, x.name, axes, keepdims=0), o.coeff)]


CONVERTERS: dict[str, Converter] = {
    "InnerProduct": _inner_product,
    "Softmax": _softmax,
    "ArgMax": _argmax,
    "Reduction": _reduction,
}
