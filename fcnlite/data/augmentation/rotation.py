"""Rotation: turn a picture by a small angle."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fcnlite.data.augmentation.base import Single
from fcnlite.data.augmentation.change import Change


@dataclass(frozen=True)
class Rotation(Single):
    """Turn about the centre of the result by an angle a ~ U(−degrees, degrees).

    The result at (x, y) from the centre shows (x cos a − y sin a, x sin a + y cos a).
    """

    name = "rotation"
    form = "rotation=DEGREES"
    example = "rotation=10"
    about = "turn about the centre by up to DEGREES to either side"

    degrees: float

    def __post_init__(self) -> None:
        self.expect(0 < self.degrees <= 180, "above 0, at most 180 degrees")

    def draw(self, change: Change, rng: np.random.Generator) -> None:
        angle = math.radians(rng.uniform(-self.degrees, self.degrees))
        cos, sin = math.cos(angle), math.sin(angle)
        change.geometry.bend().project(np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]))
