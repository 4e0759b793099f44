"""Cut-out: hide parts of a picture (DeVries and Taylor, 2017)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite.data.augmentation.base import Single
from fcnlite.data.augmentation.change import Change
from fcnlite.data.augmentation.rectangles import rectangle


@dataclass(frozen=True)
class Cutout(Single):
    """Fill `count` rectangles of share·H × share·W pixels with the mean pixel; their labels become void.

    The centre of each is drawn uniformly from the whole result, so that a part may be outside.
    """

    name = "cutout"
    form = "cutout=COUNT[:SHARE]"
    example = "cutout=2:0.25"
    about = "hide COUNT rectangles, whose sides are this share of the picture's sides (default: 0.25)"

    count: int
    share: float = 0.25

    def __post_init__(self) -> None:
        self.expect(self.count >= 1, "at least 1 rectangle")
        self.expect(0 < self.share < 1, "a share of the sides above 0, below 1")
        self.expect(
            self.count * self.share**2 < 1,
            f"COUNT · SHARE² below 1, not {self.count * self.share**2:g}, or nothing of a picture may be left",
        )

    def draw(self, change: Change, rng: np.random.Generator) -> None:
        for _ in range(self.count):
            change.holes.append(rectangle(change.geometry.shape, self.share, rng))
