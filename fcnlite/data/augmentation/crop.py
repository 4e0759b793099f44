"""Crop: cut a part of one size out of every picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite.data.augmentation.base import Single
from fcnlite.data.augmentation.change import Change
from fcnlite.data.augmentation.geometry import Span


@dataclass(frozen=True)
class Crop(Single):
    """Show `height`×`width` pixels of the resized picture, at a place drawn uniformly.

    Along each axis, a picture of n pixels starts at ~ U{0, …, n − height}. A smaller picture is placed uniformly in the
    crop; the mean pixel fills the rest, whose labels are void.
    """

    name = "crop"
    form = "crop=HEIGHT:WIDTH"
    example = "crop=288:384"
    about = "cut a part of this size out of each picture, and pad smaller pictures to it"
    shared = True

    height: int
    width: int

    def __post_init__(self) -> None:
        self.expect(min(self.height, self.width) >= 1, "a height and a width of at least 1")

    def draw(self, change: Change, rng: np.random.Generator) -> None:
        geometry = change.geometry
        turned = geometry.turns % 2
        geometry.out = (self.width, self.height) if turned else (self.height, self.width)
        geometry.rows, geometry.columns = (
            Span.draw(rng, have, want) for have, want in zip(geometry.size, geometry.out, strict=True)
        )
