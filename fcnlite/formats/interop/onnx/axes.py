"""Layers that move values without changing them: Split, Concat, Slice, Crop, Flatten, Reshape, Tile, Permute,
ShuffleChannel.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fcnlite.formats.interop.onnx.graph import Converter, OnnxGraph, OnnxValue
from fcnlite.layers.base import canonical_axis


def _split(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    return [bottom[0].name] * len(layer.spec.top)


def _concat(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    return [graph.add("Concat", *(each.name for each in bottom), axis=layer.axis)]


def _slice(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    (x,), points, tops = bottom, layer.options.slice_point, len(layer.spec.top)
    if not points:
        return graph.add_many("Split", x.name, outputs=tops, axis=layer.axis, num_outputs=tops)
    starts, ends = (0, *points), (*points, np.iinfo(np.int64).max)
    return [
        graph.add("Slice", x.name, *(graph.integers(each) for each in (start, end, layer.axis)))
        for start, end in zip(starts, ends, strict=True)
    ]


def _crop(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    x, reference = bottom
    first = canonical_axis(layer.options.axis, len(x.shape))
    axes = range(first, len(x.shape))
    offsets = layer.options.offset or (0,)
    starts = graph.integers(*(offsets * len(axes) if len(offsets) == 1 else offsets))
    ends = graph.add("Add", graph.add("Shape", reference.name, start=first), starts)
    return [graph.add("Slice", x.name, starts, ends, graph.integers(*axes))]


def _flatten(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    (x,), o = bottom, layer.options
    first, last = (canonical_axis(axis, len(x.shape)) for axis in (o.axis, o.end_axis))
    return [graph.reshaped(x.name, [*[0] * first, -1, *_sizes_from(graph, x, last + 1)])]


def _reshape(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    (x,), o = bottom, layer.options
    first = o.axis if o.axis >= 0 else len(x.shape) + 1 + o.axis
    end = len(x.shape) if o.num_axes == -1 else first + o.num_axes
    return [graph.reshaped(x.name, [*[0] * first, *o.shape.dim, *_sizes_from(graph, x, end)])]


def _tile(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    (x,), o = bottom, layer.options
    repeats = [1] * len(x.shape)
    repeats[o.axis] = o.tiles
    return [graph.add("Tile", x.name, graph.integers(*repeats))]


def _permute(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    (x,) = bottom
    return [graph.add("Transpose", x.name, perm=list(layer.axes(len(x.shape))))]


def _shuffle_channel(graph: OnnxGraph, layer: Any, bottom: list[OnnxValue]) -> list[str]:
    (x,), group = bottom, layer.options.group
    if len(x.shape) < 3:
        apart = graph.reshaped(x.name, [0, group, x.shape[1] // group])
        return [graph.reshaped(graph.add("Transpose", apart, perm=[0, 2, 1]), [0, x.shape[1]])]
    apart = graph.reshaped(x.name, [0, group, x.shape[1] // group, *_sizes_from(graph, x, 2)])
    mixed = graph.add("Transpose", apart, perm=[0, 2, 1, *range(3, len(x.shape) + 1)])
    return [graph.reshaped(mixed, [0, x.shape[1], *_sizes_from(graph, x, 2)])]


def _sizes_from(graph: OnnxGraph, x: OnnxValue, axis: int) -> list[str]:
    """The sizes of x's axes from `axis` on, as a piece for `reshaped`."""
    return [graph.add("Shape", x.name, start=axis)] if axis < len(x.shape) else []


CONVERTERS: dict[str, Converter] = {
    "Split": _split,
    "Concat": _concat,
    "Slice": _slice,
    "Crop": _crop,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Tile": _tile,
    "Permute": _permute,
    "ShuffleChannel": _shuffle_channel,
}
