"""Resizes planes, P×H×W, with half-pixel centres: pixel i of n is at (i + 0.5) / n of the side.

    y[i] = Σ_j w(i, j) · x[j] / Σ_j w(i, j),    w(i, j) = max(0, 1 − |j − c_i| / r),    c_i = (i + 0.5) · n / m − 0.5

along each axis, from n to m pixels. With r = 1 this is bilinear interpolation. `smooth` has r = max(1, n / m): where a
picture becomes smaller, each result is an average of all pixels that it covers, as in Pillow.
"""

from __future__ import annotations

import math

import numpy as np

from fcnlite import config
from fcnlite._kernels import isa
from fcnlite.arrays import Array


def bilinear(planes: Array, height: int, width: int, *, smooth: bool = False) -> Array:
    """`planes`, P×H×W float32, interpolated to P×`height`×`width`."""
    taps = [_taps(*sides, smooth) for sides in zip(planes.shape[1:], (height, width), strict=True)]
    (rows, row_weights), (columns, column_weights) = taps
    out = np.empty((len(planes), height, width, 1), np.float32)
    nothing = np.empty((0,) * 4, np.float32)
    source = np.ascontiguousarray(planes, np.float32)[..., None]
    isa.kernels("fast").interpolate(
        source, rows, row_weights, columns, column_weights, nothing, 0, 0, out, config.num_threads()
    )
    return out[..., 0]


def nearest(planes: Array, height: int, width: int) -> Array:
    """`planes`, P×H×W, with the nearest pixels at P×`height`×`width`."""
    rows, columns = (
        (np.arange(target) + 0.5) * source / target
        for source, target in zip(planes.shape[1:], (height, width), strict=True)
    )
    return np.ascontiguousarray(planes[:, rows.astype(int)[:, None], columns.astype(int)])


def _taps(source: int, target: int, smooth: bool) -> tuple[Array, Array]:
    """For each of `target` pixels, the places of the pixels that it is computed from and their weights, both m×T."""
    step = source / target
    reach = max(1.0, step) if smooth else 1.0
    centres = (np.arange(target) + 0.5) * step - 0.5
    places = (np.floor(centres - reach) + 1).astype(np.intc)[:, None] + np.arange(math.ceil(2 * reach), dtype=np.intc)
    weights = np.maximum(0, 1 - abs(places - centres[:, None]) / reach) * ((places >= 0) & (places < source))
    weights /= weights.sum(axis=1, keepdims=True)
    return np.clip(places, 0, source - 1).astype(np.intc), weights.astype(np.float32)
