"""CutMix: put a rectangle of a second picture over the first (Yun et al., 2019)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fcnlite.data.augmentation.base import Mix
from fcnlite.data.augmentation.rectangles import rectangle
from fcnlite.data.sample import Sample


@dataclass(frozen=True)
class CutMix(Mix):
    """With `probability`, cover a rectangle of √a·H × √a·W pixels with a second picture, a ~ U(0, 1).

    The second picture is drawn uniformly from the data set and changed by the same list. The rectangle's centre is
    drawn uniformly from the whole result, so that a part may be outside.
    """

    name = "cutmix"
    form = "cutmix=P"
    example = "cutmix=0.5"
    about = "with probability P, put a rectangle of a second picture, and of its labels, over the first"

    def mask(self, first: Sample, second: Sample, rng: np.random.Generator) -> np.ndarray:
        height, width = first.label.shape
        mask = np.zeros((height, width), bool)
        mask[rectangle((height, width), math.sqrt(rng.random()), rng)] = True
        return mask
