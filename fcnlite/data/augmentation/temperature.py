"""Colour temperature: make a picture warmer or colder, as another time of day does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite.data.augmentation.base import Color
from fcnlite.data.augmentation.change import Change


@dataclass(frozen=True)
class Temperature(Color):
    """(r', g', b') = ((1 + t)·r, g, (1 − t)·b), with t ~ U(−amount, amount): warmer for t above 0."""

    name = "temperature"
    form = "temperature=X"
    example = "temperature=0.2"
    about = "multiply red by 1 + t and blue by 1 − t, with t from −X to X"

    amount: float

    def __post_init__(self) -> None:
        self.expect(0 < self.amount <= 1, "above 0, at most 1")

    def draw(self, change: Change, rng: np.random.Generator) -> None:
        warmer = rng.uniform(-self.amount, self.amount)
        factors = np.array([1 + warmer, 1, 1 - warmer], np.float32)
        change.look.tones.append(lambda values, mean: values * factors)
