"""How one value of a convolution, pooling, deconvolution or crop is computed: patch, filter, products and sum.

`sum` is computed from the patch in float64, as the layer's formula says; `value` is what the engine computed in
float32. They agree within the rounding of float32, relative to `magnitude`, the sum of the products' absolute values.
"""

from __future__ import annotations

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
        raise DataError(f"layer {layer!r} is a {found.type}; values are taken apart for {', '.join(TYPES)}.")
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
    compute = _deconvolution if found.type == "Deconvolution" else _convolution
    return answer | compute(found, x, parameters, channel, row, column, source)


def _taps(window: Window, position: int, size: int) -> tuple[Array, Array]:
    """The positions of the bottom that a window reads along one axis, and whether each is inside, not in the pad."""
    at = position * window.stride - window.pad + np.arange(window.size) * window.dilation
    return at, (at >= 0) & (at < size)


def _convolution(
    layer: Any, x: Array, parameters: list[Array], channel: int, row: int, column: int, source: int | None
) -> dict[str, Any]:
    rows, inside_rows = _taps(layer.geometry.rows, row, x.shape[1])
    columns, inside_columns = _taps(layer.geometry.columns, column, x.shape[2])
    weight = weight_slices(layer, parameters[0], channel)
    first = first_channel(layer, parameters[0], channel)
    patch = np.zeros(weight.shape)
    read = x[first : first + len(weight), rows[inside_rows]][:, :, columns[inside_columns]]
    patch[:, np.outer(inside_rows, inside_columns)] = read.reshape(len(weight), -1)
    return _products(patch, weight, parameters, channel, first, source) | {
        "rows": rows.astype(np.int32),
        "columns": columns.astype(np.int32),
        "inside": np.outer(inside_rows, inside_columns),
        "windows": _windows(layer.geometry.rows, layer.geometry.columns),
    }


def _deconvolution(
    layer: Any, x: Array, parameters: list[Array], channel: int, row: int, column: int, source: int | None
) -> dict[str, Any]:
    """The bottom positions whose kernels, written at stride · position − pad, cover this position of the top."""
    rows, row_taps = _writers(layer.geometry.rows, row, x.shape[1])
    columns, column_taps = _writers(layer.geometry.columns, column, x.shape[2])
    whole = weight_slices(layer, parameters[0], channel)
    first = first_channel(layer, parameters[0], channel)
    weight = whole[:, row_taps][:, :, column_taps]
    patch = x[first : first + len(whole)][:, rows][:, :, columns].astype(np.float64)
    found = _products(patch, weight, parameters, channel, first, source)
    return found | {
        "rows": rows.astype(np.int32),
        "columns": columns.astype(np.int32),
        "inside": np.ones((len(rows), len(columns)), bool),
        "row_taps": row_taps.astype(np.int32),
        "column_taps": column_taps.astype(np.int32),
        "whole": np.ascontiguousarray(whole[found["source"] - first], np.float32),
        "windows": _windows(layer.geometry.rows, layer.geometry.columns),
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
    rows, inside_rows = _taps(windows[0], row, x.shape[1])
    columns, inside_columns = _taps(windows[1], column, x.shape[2])
    patch = np.zeros((len(rows), len(columns)))
    inside = np.outer(inside_rows, inside_columns)
    patch[np.ix_(inside_rows, inside_columns)] = x[channel][np.ix_(rows[inside_rows], columns[inside_columns])]
    found: dict[str, Any] = {
        "pool": layer.options.pool,
        "rows": rows.astype(np.int32),
        "columns": columns.astype(np.int32),
        "inside": inside,
        "patch": patch.astype(np.float32),
        "windows": _windows(*windows),
        "source": channel,
        "magnitude": float(np.abs(patch).sum()),
    }
    if layer.options.pool == "MAX":
        best = int(np.where(inside, patch, -np.inf).argmax())
        return found | {"best": best, "sum": float(patch.ravel()[best])}
    # The window at an edge counts its pad, but nothing beyond the pad.
    size = int(
        np.prod(
            [
                np.count_nonzero(at < length + window.pad)
                for at, length, window in zip((rows, columns), x.shape[1:], windows, strict=True)
            ]
        )
    )
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
