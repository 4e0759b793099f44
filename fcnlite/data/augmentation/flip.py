"""Flip: mirror a picture left to right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite.data.augmentation.base import Single
from fcnlite.data.augmentation.change import Change


@dataclass(frozen=True)
class Flip(Single):
    """Mirror left to right with probability 1/2: column x becomes W − 1 − x."""

    name = "flip"
    form = "flip"
    example = "flip"
    about = "mirror left to right with probability 1/2"
    shared = True

    def draw(self, change: Change, rng: np.random.Generator) -> None:
        change.geometry.flip = rng.random() < 0.5
