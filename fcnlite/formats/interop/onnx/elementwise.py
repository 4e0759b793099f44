"""Layers that compute each value from the values at its position: activations, BatchNorm, Scale, Eltwise."""

from __future__ import annotations

from typing import Any

import numpy as np

from fcnlite.errors import SpecError
from fcnlite.formats.interop.onnx.graph import Converter, OnnxGraph, OnnxValue
from fcnlite.layers.batch_norm import averages
from fcnlite.layers.broadcast import Broadcast
from fcnlite.layers.elementwise import LinearOptions


def _relu(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    slope = layer.options.negative_slope
    return [graph.add("LeakyRelu", bottom[0].name, alpha=slope) if slope else graph.add("Relu", bottom[0].name)]


def _prelu(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    (x,) = bottom
    slope = graph.params(layer)[0].reshape(-1, *[1] * (len(x.shape) - 2))
    return [graph.add("PRelu", x.name, graph.constant(slope))]


def _elu(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    return [graph.add("Elu", bottom[0].name, alpha=layer.options.alpha)]


def _renamed(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    return [graph.add({"AbsVal": "Abs", "Sigmoid": "Sigmoid", "TanH": "Tanh"}[layer.type], bottom[0].name)]


def _power(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    o = layer.options
    value = graph.scaled(bottom[0].name, o.scale, o.shift)
    return [value if o.power == 1 else graph.add("Pow", value, graph.constant(o.power))]


def _exp(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    o: LinearOptions = layer.options
    return [graph.add("Exp", graph.scaled(bottom[0].name, layer.ln_base * o.scale, layer.ln_base * o.shift))]


def _log(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    o: LinearOptions = layer.options
    return [graph.scaled(graph.add("Log", graph.scaled(bottom[0].name, o.scale, o.shift)), 1 / layer.ln_base)]


def _bnll(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    return [graph.add("Softplus", bottom[0].name)]


def _clip(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    o = layer.options
    return [graph.add("Clip", bottom[0].name, graph.constant(o.min), graph.constant(o.max))]


def _swish(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    gate = graph.add("Sigmoid", graph.scaled(bottom[0].name, layer.options.beta))
    return [graph.add("Mul", bottom[0].name, gate)]


def _threshold(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    import onnx

    above = graph.add("Greater", bottom[0].name, graph.constant(layer.options.threshold))
    return [graph.add("Cast", above, to=onnx.TensorProto.FLOAT)]


def _parameter(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    return [graph.add("Identity", graph.param(layer, 0))]


def _dropout(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    if layer.drops:
        raise SpecError("it drops values; remove `phase: TRAIN` and sample_weights_test.")
    return [graph.scaled(bottom[0].name, layer.factor)]


def _batch_norm(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    (x,), (mean, variance, weight) = bottom, graph.params(layer)
    if not layer.use_global_stats:
        raise SpecError("use_global_stats is false; only running statistics can be written as ONNX.")
    ones = np.ones_like(mean)
    if len(x.shape) == 1:
        raise SpecError("ONNX cannot normalise a blob with one axis.")
    statistics = [graph.constant(each) for each in (ones, 0 * ones, *averages(mean, variance, weight))]
    return [graph.add("BatchNormalization", x.name, *statistics, epsilon=layer.options.eps)]


def _mvn(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    (x,), o = bottom, layer.options
    value = x.name
    axes = graph.integers(*range(1 if o.across_channels else 2, len(x.shape)))
    # Without axes to average over, each value is its own mean.
    how: dict[str, Any] = {"keepdims": 1, "noop_with_empty_axes": 1}
    value = graph.add("Sub", value, graph.add("ReduceMean", value, axes, **how))
    if o.normalize_variance:
        variance = graph.add("ReduceMean", graph.add("Mul", value, value), axes, **how)
        value = graph.add("Div", value, graph.scaled(graph.add("Sqrt", variance), shift=o.eps))
    return [value]


def _scale(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    x, o = bottom[0], layer.options
    params = graph.params(layer) if layer.params(*(each.shape for each in bottom)) else []
    if len(bottom) == 2:
        each = Broadcast.of_bottom(x.shape, o.axis, bottom[1].shape)
        trailing = range(len(each.shape), each.axes - each.axis)
        operands = [graph.add("Unsqueeze", bottom[1].name, graph.integers(*trailing)) if trailing else bottom[1].name]
    else:
        each = Broadcast.between(x.shape, o.axis, o.num_axes)
        operands = []
    operands += [graph.constant(each.expand(array)) for array in params]
    value = x.name
    for op, operand in zip(["Mul", "Add"] if layer.type == "Scale" else ["Add"], operands, strict=False):
        value = graph.add(op, value, operand)
    return [value]


def _eltwise(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    o, values = layer.options, [each.name for each in bottom]
    if o.operation == "PROD":
        product = values[0]
        for value in values[1:]:
            product = graph.add("Mul", product, value)
        return [product]
    if o.coeff:
        values = [graph.scaled(value, coeff) for value, coeff in zip(values, o.coeff, strict=True)]
    return [graph.add("Max" if o.operation == "MAX" else "Sum", *values)]


CONVERTERS: dict[str, Converter] = {
    "ReLU": _relu,
    "PReLU": _prelu,
    "ELU": _elu,
    "AbsVal": _renamed,
    "Sigmoid": _renamed,
    "TanH": _renamed,
    "Power": _power,
    "Exp": _exp,
    "Log": _log,
    "BNLL": _bnll,
    "Clip": _clip,
    "Swish": _swish,
    "Threshold": _threshold,
    "Parameter": _parameter,
    "Dropout": _dropout,
    "BatchNorm": _batch_norm,
    "MVN": _mvn,
    "Scale": _scale,
    "Bias": _scale,
    "Eltwise": _eltwise,
}
