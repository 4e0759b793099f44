"""Brightness: multiply a picture by a factor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite.data.augmentation.base import Single
from fcnlite.data.augmentation.change import Change


@dataclass(frozen=True)
class Brightness(Single):
    """v' = f·v, with f ~ U(1 − amount, 1 + amount). Distances stay as they are."""

    name = "brightness"
    form = "brightness=X"
    example = "brightness=0.3"
    about = "multiply by a factor from 1 − X to 1 + X"
    shared = True
    draws_when_absent = 1

    amount: float

    def __post_init__(self) -> None:
        self.expect(0 < self.amount <= 1, "above 0, at most 1")

    def draw(self, change: Change, rng: np.random.Generator) -> None:
        factor = np.float32(rng.uniform(1 - self.amount, 1 + self.amount))
        change.look.tones.append(lambda values, mean: values * factor)
