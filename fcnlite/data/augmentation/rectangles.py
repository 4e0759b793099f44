"""Random rectangles."""

from __future__ import annotations

import numpy as np


def rectangle(shape: tuple[int, int], share: float, rng: np.random.Generator) -> tuple[slice, slice]:
    """Draw a rectangle whose centre is anywhere and whose sides are this share of the whole: rows and columns."""
    spans = []
    for whole, centre in zip(shape, rng.random(2).tolist(), strict=True):
        side = int(share * whole)
        start = int(centre * whole) - side // 2
        spans.append(slice(max(0, start), max(0, start + side)))
    return spans[0], spans[1]
