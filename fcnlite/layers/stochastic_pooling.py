"""Pooling that draws a value of each window with a probability proportional to it (STOCHASTIC of Caffe's Pooling).

    TRAIN: y = x[k], k drawn with probability x[k] / Σ x        dx[k] = dy
    TEST:  y = Σ x² / Σ x                                       dx = dy · (2 x − y) / Σ x

k is the first place of the window, row by row, with Σ_{j≤k} x[j] ≥ u · Σ x for a random u of 0 to 1. The values should
not be negative, as after a ReLU. Caffe has it on GPUs only, and without the gradient of TEST. Zeiler and Fergus, 2013.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.layers.gathered import Windows

_TINY = np.finfo(np.float32).tiny
"""What Caffe adds to Σ x in TEST, so that it is not 0."""


def draw(x: Array, windows: Windows, u: Array) -> tuple[Array, Any]:
    """y in TRAIN, for the random numbers u, N×C×H'×W'; and what the gradient needs."""
    values = windows.gather(x, 0)
    sums = values.cumsum(axis=2)
    chosen = (sums >= u[:, :, None] * sums[:, :, -1:]).argmax(axis=2)[:, :, None]
    return np.take_along_axis(values, chosen, 2)[:, :, 0], (values.shape, chosen)


def draw_backward(dy: Array, windows: Windows, saved: Any, shape: Shape) -> Array:
    """dx in TRAIN."""
    spread, chosen = saved
    values = np.zeros(spread, dy.dtype)
    np.put_along_axis(values, chosen, dy[:, :, None], 2)
    return windows.scatter(values, shape)


def weigh(x: Array, windows: Windows) -> tuple[Array, Any]:
    """y in TEST, and what the gradient needs."""
    values = windows.gather(x, 0)
    total = values.sum(axis=2) + x.dtype.type(_TINY)
    y = np.square(values).sum(axis=2) / total
    return y, (values, total, y)


def weigh_backward(dy: Array, windows: Windows, saved: Any, shape: Shape) -> Array:
    """dx in TEST."""
    values, total, y = saved
    return windows.scatter((dy / total)[:, :, None] * (2 * values - y[:, :, None]), shape)
