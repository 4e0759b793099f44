"""Shift: move a picture within its frame, the jitter of the FCN paper (section 4.3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite.data.augmentation.base import Single
from fcnlite.data.augmentation.change import Change


@dataclass(frozen=True)
class Shift(Single):
    """Move down by d and right by e pixels, d and e ~ U{−pixels, …, pixels}; the mean pixel and void fill the rest.

    At least one pixel of the picture stays in the frame.
    """

    name = "shift"
    form = "shift=PIXELS"
    example = "shift=32"
    about = "move by up to PIXELS down or up, and right or left"
    shared = True

    pixels: int

    def __post_init__(self) -> None:
        self.expect(self.pixels >= 1, "at least 1 pixel")

    def draw(self, change: Change, rng: np.random.Generator) -> None:
        geometry, reach = change.geometry, self.pixels
        geometry.rows, geometry.columns = (
            span.moved(int(rng.integers(-reach, reach + 1)), side)
            for span, side in zip((geometry.rows, geometry.columns), geometry.out, strict=True)
        )
