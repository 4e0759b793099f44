"""Saturation: strengthen or weaken the colours of a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite.data.augmentation.base import Color
from fcnlite.data.augmentation.change import Change

LUMINANCE = np.array([0.299, 0.587, 0.114])
"""The shares of red, green and blue in the luminance (ITU-R BT.601)."""


@dataclass(frozen=True)
class Saturation(Color):
    """c' = l + f·(c − l) for c = r, g, b, with the luminance l = 0.299 r + 0.587 g + 0.114 b.

    f ~ U(1 − amount, 1 + amount). A gray picture does not change.
    """

    name = "saturation"
    form = "saturation=X"
    example = "saturation=0.5"
    about = "multiply the distance from gray by a factor from 1 − X to 1 + X"

    amount: float

    def __post_init__(self) -> None:
        self.expect(0 < self.amount <= 1, "above 0, at most 1")

    def draw(self, change: Change, rng: np.random.Generator) -> None:
        factor = rng.uniform(1 - self.amount, 1 + self.amount)
        change.look.mix_colors(factor * np.eye(3) + (1 - factor) * LUMINANCE)
