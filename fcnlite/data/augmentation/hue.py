"""Hue: turn the colours of a picture about gray."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fcnlite.data.augmentation.base import Color
from fcnlite.data.augmentation.change import Change


@dataclass(frozen=True)
class Hue(Color):
    """Rotate (r, g, b) by an angle a about the axis of grays, with a / 360° ~ U(−turns, turns).

    By Rodrigues' formula the matrix is cos a·I + (1 − cos a)/3·J + sin a/√3·K, where J is all ones and K(r, g, b) =
    (b − g, r − b, g − r). The sum r + g + b stays, and so does a gray picture. A turn of 1/3 makes red green.
    """

    name = "hue"
    form = "hue=X"
    example = "hue=0.05"
    about = "turn the hue by up to this share of the circle of colours to either side"

    turns: float

    def __post_init__(self) -> None:
        self.expect(0 < self.turns <= 0.5, "above 0, at most 0.5")

    def draw(self, change: Change, rng: np.random.Generator) -> None:
        change.look.mix_colors(rotation(2 * math.pi * rng.uniform(-self.turns, self.turns)))


def rotation(angle: float) -> np.ndarray:
    """The 3×3 matrix that rotates colours by `angle`, in radians."""
    cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])
    cos, sin = math.cos(angle), math.sin(angle)
    matrix: np.ndarray = cos * np.eye(3) + (1 - cos) / 3 + sin / math.sqrt(3) * cross
    return matrix
