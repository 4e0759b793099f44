"""Layers of Caffe's forks: Interp, BN, unpooling, Normalize, Axpy, ReLU6."""

from __future__ import annotations

from typing import Any

import numpy as np

from fcnlite.errors import SpecError
from fcnlite.formats.interop.onnx.graph import Converter, OnnxGraph, OnnxValue


def _interp(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    (x,), o = bottom, layer.options
    value = x.name
    if o.pad_beg or o.pad_end:
        end = o.pad_end or np.iinfo(np.int64).max
        ranges = ((-o.pad_beg,) * 2, (end,) * 2, (2, 3))
        value = graph.add("Slice", value, *(graph.integers(*each) for each in ranges))
    if layer.by_size:
        sides = graph.integers(o.height, o.width)
    else:
        # H' = z · ⌊(H − 1) / s⌋ + 1, and so for W'.
        steps = graph.add("Sub", graph.add("Shape", value, start=2), graph.integers(1))
        steps = graph.add("Div", steps, graph.integers(o.shrink_factor or 1))
        steps = graph.add("Mul", steps, graph.integers(o.zoom_factor or 1))
        sides = graph.add("Add", steps, graph.integers(1))
    sizes = graph.add("Concat", graph.add("Shape", value, end=2), sides, axis=0)
    how = {"mode": "linear", "coordinate_transformation_mode": "align_corners"}
    return [graph.add("Resize", value, "", "", sizes, **how)]


def _bn(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    (x,), (scale, shift, *running) = bottom, graph.params(layer)
    value, statistics = x.name, []
    if layer.statistics == "running":
        flat = [graph.constant(each.ravel()) for each in (scale, shift, *running)]
        return [graph.add("BatchNormalization", value, *flat, epsilon=layer.eps)]
    if layer.statistics == "batch":
        axes = graph.integers(0, 2, 3)
        mean = graph.add("ReduceMean", value, axes, keepdims=1)
        value = graph.add("Sub", value, mean)
        variance = graph.add("ReduceMean", graph.add("Mul", value, value), axes, keepdims=1)
        statistics = [mean, variance]
        value = graph.add("Div", value, graph.add("Sqrt", graph.scaled(variance, shift=layer.eps)))
    value = graph.add("Add", graph.add("Mul", value, graph.constant(scale)), graph.constant(shift))
    return [value, *statistics][: len(layer.spec.top)]


def _unpooled(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    """Values at the places that the mask names, within each plane; or spread over windows (AVE, TILE)."""
    if layer.type == "Unpooling" and layer.options.unpool != "MAX":
        rows, columns = layer.spread(bottom[0].shape, np.dtype(np.float32))
        wide = graph.add("MatMul", bottom[0].name, graph.constant(columns))
        return [graph.add("MatMul", graph.constant(rows.T), wide)]
    if len(bottom) == 1:
        raise SpecError("without a mask it cannot be written as ONNX; name outputs before it (outputs=).")
    x, mask = bottom
    planes = graph.add("Shape", x.name, end=2)
    sides = _unpooled_sides(graph, layer, x)
    places = graph.add("Cast", graph.reshaped(mask.name, [0, 0, -1]), to=_int64())
    values = graph.reshaped(x.name, [0, 0, -1])
    size = graph.add("ReduceProd", sides, keepdims=1)
    empty = graph.add("Expand", graph.constant([0.0]), graph.add("Concat", planes, size, axis=0))
    filled = graph.add("ScatterElements", empty, places, values, axis=2)
    return [graph.add("Reshape", filled, graph.add("Concat", planes, sides, axis=0))]


def _unpooled_sides(graph: OnnxGraph, layer: Any, x: OnnxValue) -> str:
    o = layer.options
    if layer.type == "Unpooling":
        return graph.integers(*layer.size)
    if o.upsample_h is not None:
        return graph.integers(o.upsample_h, o.upsample_w)
    scaled = graph.add("Mul", graph.add("Shape", x.name, start=2), graph.integers(*layer.scales))
    return graph.add("Sub", scaled, graph.integers(int(o.pad_out_h), int(o.pad_out_w)))


def _int64() -> int:
    import onnx

    return int(onnx.TensorProto.INT64)


def _normalize(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    (x,) = bottom
    square = graph.add("Mul", x.name, x.name)
    total = graph.add("ReduceSum", square, graph.integers(*layer.summed), keepdims=1)
    norm = graph.add("Sqrt", graph.scaled(total, shift=layer.options.eps))
    scale = graph.params(layer)[0].reshape(-1, 1, 1)
    return [graph.add("Mul", graph.add("Div", x.name, norm), graph.constant(scale))]


def _axpy(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    factors, x, z = bottom
    factor = graph.reshaped(factors.name, [0, 0, 1, 1])
    return [graph.add("Add", graph.add("Mul", factor, x.name), z.name)]


def _relu6(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    return [graph.add("Clip", bottom[0].name, graph.constant(0.0), graph.constant(6.0))]


CONVERTERS: dict[str, Converter] = {
    "Interp": _interp,
    "BN": _bn,
    "Upsample": _unpooled,
    "Unpooling": _unpooled,
    "Normalize": _normalize,
    "Axpy": _axpy,
    "ReLU6": _relu6,
}
