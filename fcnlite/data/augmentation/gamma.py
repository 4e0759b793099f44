"""Gamma: brighten or darken the middle tones, as another exposure does."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fcnlite.data.augmentation.base import Color
from fcnlite.data.augmentation.change import Change


@dataclass(frozen=True)
class Gamma(Color):
    """v' = 255·(v / 255)^g, with ln g ~ U(−amount, amount). 0.7 gives exponents from 0.50 to 2.01."""

    name = "gamma"
    form = "gamma=X"
    example = "gamma=0.7"
    about = "raise the values, as shares of white, to a power from exp(−X) to exp(X)"

    amount: float

    def __post_init__(self) -> None:
        self.expect(0 < self.amount <= 3, "above 0, at most 3")

    def draw(self, change: Change, rng: np.random.Generator) -> None:
        exponent = np.float32(math.exp(rng.uniform(-self.amount, self.amount)))
        change.look.tones.append(lambda values, mean: 255 * np.clip(values / 255, 0, 1) ** exponent)
