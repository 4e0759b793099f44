"""How one value of a convolution, pooling, deconvolution or crop is computed: patch, filter, products and sum.

`sum` is computed from the patch in float64, as the layer's formula says; `value` is what the engine computed in
float32. They agree within the rounding of float32, relative to `magnitude`, the sum of the products' absolute values.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fcnlite.arrays import Array
from fcnlite.description.shapes import Window
from fcnlite.errors import DataError
from fcnlite.explore.inference.layer import check_channel, first_channel, weight_slices
from fcnlite.explore.inference.segmentation import pixel_of
from fcnlite.explore.inference.session import Session

TYPES = ("Convolution", "Deconvolution", "Pooling", "Crop")
_CHANNELS = 32
"""The number of channels whose partial sums are listed; the largest come first."""


def number(
    session: Session, layer: str, channel: int, row: int, column: int, source: int | None = None
) -> dict[str, Any]:
    """How the value at (channel, row, column) of a layer's top is computed.

    A convolution or deconvolution sums over channels: `parts` are the sums of the largest ones, and patch, kernel and
    products are those of the channel `source`, by default the largest.
    """
    model, picture = session.model, session.picture
    found = model.layer(layer)
    if found.type not in TYPES:
        raise DataError(f"layer {layer!r} is of type {found.type}; values are taken apart for {', '.join(TYPES)}.")
    values = model.values(layer, picture.image, picture.number)
    x, y = model.check_map(layer, values.bottoms[0]), model.check_map(layer, values.tops[0])
    check_channel(layer, channel, len(y))
    value = float(pixel_of(y, row, column)[channel, 0, 0])
    answer: dict[str, Any] = {
        "type": found.type,
        "position": [channel, row, column],
        "top": list(y.shape),
        "bottom": list(x.shape),
        "value": value,
    }
    if found.type == "Crop":
        return answer | _crop(found, values.bottoms, channel, row, column)
    if found.type == "Pooling":
        return answer | _pooling(found, x, channel, row, column)
    parameters = [each.array for each in model.by_layer[0].params[layer]]
    return answer | _filtered(found, x, parameters, (channel, row, column), source)


def _filtered(
    layer: Any, x: Array, parameters: list[Array], position: tuple[int, int, int], source: int | None
) -> dict[str, Any]:
    """The sum of a convolution or deconvolution over the channels that it reads."""
    channel, row, column = position
    whole = weight_slices(layer, parameters[0], channel)
    first = first_channel(layer, parameters[0], channel)
    read = x[first : first + len(whole)]
    windows = layer.geometry.rows, layer.geometry.columns
    if layer.type == "Convolution":
        patch, places = _patch(read, windows, row, column)
        return _products(patch, whole, parameters, channel, first, source) | places
    # The bottom positions whose kernels, written at stride · position − pad, cover this position of the top.
    rows, row_taps = _writers(windows[0], row, x.shape[1])
    columns, column_taps = _writers(windows[1], column, x.shape[2])
    patch = read[:, rows][:, :, columns].astype(np.float64)
    return _products(patch, whole[:, row_taps][:, :, column_taps], parameters, channel, first, source) | {
        "rows": rows.astype(np.int32),
        "columns": columns.astype(np.int32),
        "inside": np.ones((len(rows), len(columns)), bool),
        "windows": _windows(*windows),
    }


def _patch(maps: Array, windows: tuple[Window, Window], row: int, column: int) -> tuple[Array, dict[str, Any]]:
    """The values that the windows at a position read, channels×rows×columns with 0 in the pad, and where they are."""
    positions = [
        position * window.stride - window.pad + np.arange(window.size) * window.dilation
        for window, position in zip(windows, (row, column), strict=True)
    ]
    rows, columns = ((at >= 0) & (at < size) for at, size in zip(positions, maps.shape[1:], strict=True))
    inside = np.outer(rows, columns)
    patch = np.zeros((len(maps), *inside.shape))
    patch[:, inside] = maps[:, positions[0][rows]][:, :, positions[1][columns]].reshape(len(maps), -1)
    return patch, {
        "rows": positions[0].astype(np.int32),
        "columns": positions[1].astype(np.int32),
        "inside": inside,
        "windows": _windows(*windows),
    }


def _writers(window: Window, position: int, size: int) -> tuple[Array, Array]:
    """The positions of the bottom whose kernels cover a position of the top along one axis, and their taps."""
    at = np.arange(size)
    distance = position + window.pad - window.stride * at
    covers = (distance >= 0) & (distance % window.dilation == 0) & (distance // window.dilation < window.size)
    return at[covers], distance[covers] // window.dilation


def _products(
    patch: Array, weight: Array, parameters: list[Array], channel: int, first: int, source: int | None
) -> dict[str, Any]:
    """Products and sums of a patch and a weight, channels×rows×columns each; `first`: the first channel's number."""
    products = patch * weight.astype(np.float64)
    parts = products.sum(axis=(1, 2))
    order = np.argsort(-np.abs(parts), kind="stable")[:_CHANNELS]
    chosen = int(order[0]) if source is None else source - first
    if not 0 <= chosen < len(parts):
        raise DataError(f"channel {source} is not read here; expected {first} to {first + len(parts) - 1}.")
    bias = float(parameters[1][channel]) if len(parameters) > 1 else 0.0
    return {
        "source": chosen + first,
        "patch": patch[chosen].astype(np.float32),
        "kernel": np.ascontiguousarray(weight[chosen], np.float32),
        "products": np.ascontiguousarray(products[chosen]),
        "part": float(parts[chosen]),
        "index": (order + first).astype(np.int32),
        "parts": parts[order],
        "channels": len(parts),
        "rest": float(parts.sum() - parts[order].sum()),
        "bias": bias if len(parameters) > 1 else None,
        "sum": float(parts.sum() + bias),
        "magnitude": float(np.abs(products).sum() + abs(bias)),
    }


def _pooling(layer: Any, x: Array, channel: int, row: int, column: int) -> dict[str, Any]:
    windows = layer.windows_over(*x.shape[1:])
    (patch,), places = _patch(x[channel : channel + 1], windows, row, column)
    found: dict[str, Any] = {
        "patch": patch.astype(np.float32),
        "source": channel,
        "magnitude": float(np.abs(patch).sum()),
        **places,
    }
    if layer.options.pool == "MAX":
        best = int(np.where(places["inside"], patch, -np.inf).argmax())
        return found | {"best": best, "sum": float(patch.ravel()[best])}
    # The window at an edge counts its pad, but nothing beyond the pad.
    counted = (
        np.count_nonzero(at < length + window.pad)
        for at, length, window in zip((places["rows"], places["columns"]), x.shape[1:], windows, strict=True)
    )
    size = math.prod(map(int, counted))
    return found | {"divisor": size, "sum": float(patch.sum() / size)}


def _crop(layer: Any, bottoms: list[Array], channel: int, row: int, column: int) -> dict[str, Any]:
    window = layer.window(bottoms[0].shape, bottoms[1].shape)
    at = [(each.start or 0) + position for each, position in zip(window[1:], (channel, row, column), strict=True)]
    value = float(bottoms[0][0, at[0], at[1], at[2]])
    return {
        "source": at[0],
        "rows": np.array([at[1]], np.int32),
        "columns": np.array([at[2]], np.int32),
        "offset": [(each.start or 0) for each in window[2:]],
        "reference": list(bottoms[1].shape[1:]),
        "sum": value,
        "magnitude": abs(value),
    }


def _windows(rows: Window, columns: Window) -> dict[str, Any]:
    """Size, stride, pad and dilation, for rows and for columns."""
    return {name: [getattr(rows, name), getattr(columns, name)] for name in ("size", "stride", "pad", "dilation")}
