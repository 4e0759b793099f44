"""Scale: resize a picture by a random factor."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fcnlite.data.augmentation.base import Single
from fcnlite.data.augmentation.change import Change
from fcnlite.data.dataset import Dataset
from fcnlite.errors import DataError

LAWS = ("uniform", "log")


@dataclass(frozen=True)
class Scale(Single):
    """Resize to s·H × s·W pixels, with s from `low` to `high`; a crop or padding may follow.

    uniform: s ~ U(low, high); log: ln s ~ U(ln low, ln high), so that halving is as frequent as doubling.
    """

    name = "scale"
    form = "scale=LOW:HIGH[:log]"
    example = "scale=0.5:2"
    about = "resize by a factor drawn uniformly from LOW to HIGH, or with log its logarithm"
    shared = True
    draws_when_absent = 1

    low: float
    high: float
    law: str = LAWS[0]

    def __post_init__(self) -> None:
        self.expect(0 < self.low <= self.high, "two factors, 0 < LOW ≤ HIGH")
        self.expect(self.law in LAWS, f"{' or '.join(LAWS)} after the factors")

    def draw(self, change: Change, rng: np.random.Generator) -> None:
        if self.law == "log":
            factor = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        else:
            factor = rng.uniform(self.low, self.high)
        change.geometry.resize(factor)

    def varies(self, size: tuple[int, int]) -> bool:
        return self.low < self.high

    def check(self, dataset: Dataset, crop: tuple[int, int] | None) -> None:
        sizes = dataset.sizes or {dataset[0].label.shape: dataset[0].name}
        size, picture = min((min(size), picture) for size, picture in sizes.items())
        if self.low * size < 1:
            raise DataError(
                f"augmentation {self}: leaves less than a pixel of {picture}, whose shorter side has {size} pixels; "
                "give a larger LOW."
            )
