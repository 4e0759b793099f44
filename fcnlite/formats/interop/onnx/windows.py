"""Layers with a window: Convolution, Deconvolution, Pooling, LRN."""

from __future__ import annotations

from typing import Any

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
    if len(layer.spec.top) > 1:
        raise SpecError("its second top, the positions of the maxima, cannot be written as ONNX; leave it out.")
    (x,), average = bottom, layer.options.pool == "AVE"
    if layer.options.global_pooling:
        return [graph.add("GlobalAveragePool" if average else "GlobalMaxPool", x.name)]
    windows = layer.windows
    ends = [_far_pad(window, layer) for window in windows]
    pads = [window.pad for window in windows]
    kernel_shape, strides = ([getattr(window, name) for window in windows] for name in ("size", "stride"))
    how: dict[str, Any] = {"kernel_shape": kernel_shape, "strides": strides}
    if not average:
        return [graph.add("MaxPool", x.name, pads=[*pads, *ends], **how)]
    # Caffe divides by a window size that includes its padding but excludes the positions that rounding up adds. So its
    # padding becomes zeros in the input, and the rest becomes ONNX's padding, which ONNX does not count.
    value = x.name
    if any(pads):
        value = graph.add("Pad", value, graph.integers(0, 0, *pads, 0, 0, *pads))
    beyond = [end - pad for end, pad in zip(ends, pads, strict=True)]
    return [graph.add("AveragePool", value, pads=[0, 0, *beyond], count_include_pad=0, **how)]


def _far_pad(window: Window, layer: Any) -> int:
    """The padding after the picture with which ONNX, rounding down, has the windows that Caffe has, rounding up.

    Rounding up adds at most stride − 1. Caffe drops a window that starts after the picture; to drop it too, the padding
    must be smaller than the window.
    """
    if layer.options.round_mode == "FLOOR":
        return window.pad
    if window.stride > window.size and not any(each.pad for each in layer.windows):
        raise SpecError(
            f"a stride of {window.stride} with a kernel_size of {window.size} makes empty windows, which cannot be "
            "written as ONNX; use round_mode FLOOR."
        )
    return min(window.pad + window.stride - 1, window.size - 1)


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
}
