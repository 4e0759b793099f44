"""What several checks share: the numbers of cases, and a window of the engine."""

from __future__ import annotations

from typing import Any

import numpy as np

from fcnlite.arrays import Array
from fcnlite.description.shapes import Window
from fcnlite.layers.columns import Geometry


def integers(seed: int, *shape: int, dtype: Any = np.float32) -> Array:
    """Random whole numbers from −9 to 9, which are easy to read in a message."""
    return np.random.default_rng(seed).integers(-9, 10, shape).astype(dtype)


def geometry(kernel_size: int, stride: int, pad: int) -> Geometry:
    """A square window."""
    window = Window(kernel_size, stride, pad)
    return Geometry(window, window)
