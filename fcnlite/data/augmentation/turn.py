"""Turn: rotate a picture by quarter turns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite.data.augmentation.base import Single
from fcnlite.data.augmentation.change import Change


@dataclass(frozen=True)
class Turn(Single):
    """Turn by 0, 90, 180 or 270 degrees with equal probability, for pictures without an up, such as micrographs.

    A crop keeps its height and width; other pictures exchange theirs.
    """

    name = "turn"
    form = "turn"
    example = "turn"
    about = "rotate by 0, 90, 180 or 270 degrees"
    shared = True

    def draw(self, change: Change, rng: np.random.Generator) -> None:
        change.geometry.turns = int(rng.integers(4))

    def varies(self, size: tuple[int, int]) -> bool:
        return size[0] != size[1]
