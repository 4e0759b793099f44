"""Contrast: stretch or compress the values of a picture about the mean pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite.data.augmentation.base import Single
from fcnlite.data.augmentation.change import Change


@dataclass(frozen=True)
class Contrast(Single):
    """v' = m + f·(v − m), with f ~ U(1 − amount, 1 + amount) and m the mean pixel of the preprocessing.

    To the net, which gets v − m, this is a factor f.
    """

    name = "contrast"
    form = "contrast=X"
    example = "contrast=0.3"
    about = "multiply the distance from the mean pixel by a factor from 1 − X to 1 + X"

    amount: float

    def __post_init__(self) -> None:
        self.expect(0 < self.amount <= 1, "above 0, at most 1")

    def draw(self, change: Change, rng: np.random.Generator) -> None:
        factor = np.float32(rng.uniform(1 - self.amount, 1 + self.amount))
        change.look.tones.append(lambda values, mean: mean + factor * (values - mean))
