"""What several checks share: the numbers of cases, and a window of the engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fcnlite.arrays import Array
from fcnlite.description.shapes import Window
from fcnlite.layers.columns import Geometry

Case = tuple[tuple[int, int, int], int, int, int]
"""The shape of a picture, kernel_size, stride and pad."""


def integers(seed: int, *shape: int, dtype: Any = np.float32) -> Array:
    """Random whole numbers from −9 to 9, which are easy to read in a message."""
    return np.random.default_rng(seed).integers(-9, 10, shape).astype(dtype)


def geometry(kernel_size: int, stride: int, pad: int) -> Geometry:
    """A square window."""
    window = Window(kernel_size, stride, pad)
    return Geometry(window, window)


def random_cases(seed: int, most: Sequence[int], count: int = 30) -> list[Case]:
    """Cases whose windows fit into the padded picture, smallest first.

    `most`: the largest channels, height, width, kernel_size and stride, and the largest pad plus one.
    """
    rng = np.random.default_rng(seed)
    cases: list[Case] = []
    while len(cases) < count:
        channels, height, width, kernel, stride, pad = (int(rng.integers(1, each + 1)) for each in most)
        pad -= 1
        if kernel <= min(height, width) + 2 * pad:
            cases.append(((channels, height, width), kernel, stride, pad))
    return sorted(cases, key=lambda case: np.prod(case[0]))
