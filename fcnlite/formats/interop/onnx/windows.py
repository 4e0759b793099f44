"""Layers with a window: Convolution, Deconvolution, Pooling, LRN."""

from __future__ import annotations

from typing import Any

import numpy as np

from fcnlite.description.shapes import Window
from fcnlite.errors import SpecError
from fcnlite.formats.interop.onnx.graph import Converter, OnnxGraph, OnnxValue


def _convolution(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    rows, columns = layer.geometry.rows, layer.geometry.columns
    params = [graph.param(layer, i) for i in range(len(graph.params(layer)))]
    return [
        graph.add(
            "Conv" if layer.type == "Convolution" else "ConvTranspose",
            bottom[0].name,
            *params,
            kernel_shape=[rows.size, columns.size],
            strides=[rows.stride, columns.stride],
            pads=[rows.pad, columns.pad] * 2,
            dilations=[rows.dilation, columns.dilation],
            group=layer.geometry.group,
        )
    ]


def _pooling(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    (x,), average = bottom, layer.options.pool == "AVE"
    if layer.options.pool == "STOCHASTIC":
        return [_stochastic(graph, layer, x)]
    if layer.options.global_pooling and len(layer.spec.top) > 1:
        raise SpecError("its second top cannot be written as ONNX with global_pooling; write a kernel_size.")
    if layer.options.global_pooling:
        return [graph.add("GlobalAveragePool" if average else "GlobalMaxPool", x.name)]
    windows = layer.windows
    ends = [_far_pad(window, layer) for window in windows]
    pads = [window.pad for window in windows]
    kernel_shape, strides = ([getattr(window, name) for window in windows] for name in ("size", "stride"))
    how: dict[str, Any] = {"kernel_shape": kernel_shape, "strides": strides}
    if not average and len(layer.spec.top) > 1:
        value, places = graph.add_many("MaxPool", x.name, outputs=2, pads=[*pads, *ends], **how)
        return [value, _in_plane(graph, x, places)]
    if not average:
        return [graph.add("MaxPool", x.name, pads=[*pads, *ends], **how)]
    # Caffe divides by a window size that includes its padding but excludes the positions that rounding up adds. So its
    # padding becomes zeros in the input, and the rest becomes ONNX's padding, which ONNX does not count.
    value = x.name
    if any(pads):
        value = graph.add("Pad", value, graph.integers(0, 0, *pads, 0, 0, *pads))
    beyond = [end - pad for end, pad in zip(ends, pads, strict=True)]
    return [graph.add("AveragePool", value, pads=[0, 0, *beyond], count_include_pad=0, **how)]


def _in_plane(graph: OnnxGraph, x: OnnxValue, places: str) -> str:
    """The positions of maxima in their planes, from those in the whole blob, which ONNX counts."""
    import onnx

    size = graph.add("ReduceProd", graph.add("Shape", x.name, start=2), keepdims=1)
    return graph.add("Cast", graph.add("Mod", places, size), to=onnx.TensorProto.FLOAT)


def _stochastic(graph: OnnxGraph, layer: Any, x: OnnxValue) -> str:
    """Σ x² / Σ x in phase TEST: a quotient of two means, whose divisors cancel."""
    if layer.phase == "TRAIN":
        raise SpecError("it draws values; remove `phase: TRAIN`.")
    square = graph.add("Mul", x.name, x.name)
    if layer.options.global_pooling:
        sums = [graph.add("GlobalAveragePool", each) for each in (square, x.name)]
    else:
        rows, columns = layer.windows
        how: dict[str, Any] = {
            "kernel_shape": [rows.size, columns.size],
            "strides": [rows.stride, columns.stride],
            "pads": [0, 0, _far_pad(rows, layer), _far_pad(columns, layer)],
            "count_include_pad": 0,
        }
        sums = [graph.add("AveragePool", each, **how) for each in (square, x.name)]
    return graph.add("Div", sums[0], graph.scaled(sums[1], shift=float(np.finfo(np.float32).tiny)))


def _uneven_pooling(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    (x,), o = bottom, layer.options
    padded = any((*layer.before, *layer.after))
    ends = [
        _far_end(size, stride, after, o.round_mode, padded)
        for size, stride, after in zip(layer.sizes, layer.strides, layer.after, strict=True)
    ]
    how: dict[str, Any] = {"kernel_shape": list(layer.sizes), "strides": list(layer.strides)}
    if o.pool == "MAX":
        return [graph.add("MaxPool", x.name, pads=[*layer.before, *ends], **how)]
    if o.pool != "AVE":
        return [graph.add("AveragePool", x.name, pads=[*layer.before, *ends], count_include_pad=0, **how)]
    beyond = [end - after for end, after in zip(ends, layer.after, strict=True)]
    value = graph.add("Pad", x.name, graph.integers(0, 0, *layer.before, 0, 0, *layer.after))
    return [graph.add("AveragePool", value, pads=[0, 0, *beyond], count_include_pad=0, **how)]


def _spp(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    (x,) = bottom
    parts = []
    for level in layer.levels(*x.shape[2:]):
        (value,) = _pooling(graph, level, bottom)
        parts.append(value if layer.options.pyramid_height == 1 else graph.reshaped(value, [0, -1]))
    return [graph.add("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]]


def _im2col(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    """A convolution, a group for each channel, with a filter of a single 1 for each place of the window."""
    (x,), rows, columns = bottom, layer.geometry.rows, layer.geometry.columns
    channels, taps = x.shape[1], rows.size * columns.size
    filters = np.tile(np.eye(taps, dtype=np.float32).reshape(taps, 1, rows.size, columns.size), (channels, 1, 1, 1))
    how: dict[str, Any] = {"strides": [rows.stride, columns.stride], "dilations": [rows.dilation, columns.dilation]}
    pads = [rows.pad, columns.pad] * 2
    return [graph.add("Conv", x.name, graph.constant(filters), pads=pads, group=channels, **how)]


def _far_pad(window: Window, layer: Any) -> int:
    """The padding after the picture with which ONNX has the windows of a Pooling, along one axis."""
    padded = any(each.pad for each in layer.windows)
    return _far_end(window.size, window.stride, window.pad, layer.options.round_mode, padded)


def _far_end(size: int, stride: int, pad: int, round_mode: str, padded: bool) -> int:
    """The padding after the picture with which ONNX, rounding down, has the windows that Caffe has, rounding up.

    Rounding up adds at most stride − 1. Caffe drops a window that starts after the picture; to drop it too, the padding
    must be smaller than the window.
    """
    if round_mode == "FLOOR":
        return pad
    if stride > size and not padded:
        raise SpecError(
            f"a stride of {stride} with a kernel_size of {size} makes empty windows, which cannot be written as ONNX; "
            "use round_mode FLOOR."
        )
    return min(pad + stride - 1, size - 1)


def _lrn(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    (x,), o = bottom, layer.options
    if layer.across:
        return [graph.add("LRN", x.name, size=o.local_size, alpha=o.alpha, beta=o.beta, bias=o.k)]
    if len(x.shape) != 4:
        raise SpecError(f"norm_region WITHIN_CHANNEL of a blob with {len(x.shape)} axes cannot be written as ONNX.")
    square = graph.add("Mul", x.name, x.name)
    side: dict[str, Any] = {"kernel_shape": [o.local_size] * 2, "strides": [1, 1], "pads": [o.local_size // 2] * 4}
    mean = graph.add("AveragePool", square, count_include_pad=1, **side)
    norm = graph.add("Pow", graph.scaled(mean, o.alpha, 1.0), graph.constant(-o.beta))
    return [graph.add("Mul", x.name, norm)]


CONVERTERS: dict[str, Converter] = {
    "Convolution": _convolution,
    "Deconvolution": _convolution,
    "Pooling": _pooling,
    "LRN": _lrn,
    "UnevenPooling": _uneven_pooling,
    "SPP": _spp,
    "Im2col": _im2col,
}
