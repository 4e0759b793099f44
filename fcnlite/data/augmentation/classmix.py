"""ClassMix: put the pixels of some classes of a second picture over the first (Olsson et al., 2021)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite.data.augmentation.base import Mix
from fcnlite.data.sample import VOID, Sample


@dataclass(frozen=True)
class ClassMix(Mix):
    """With `probability`, cover the first picture with the pixels of ⌈n/2⌉ of the n classes in a second one.

    The classes are those of the first label map, drawn uniformly. The second picture is drawn uniformly from the data
    set and changed by the same list. Its void is never put over the first.
    """

    name = "classmix"
    form = "classmix=P"
    example = "classmix=0.5"
    about = "with probability P, put half of the classes of a second picture over the first"

    def mask(self, first: Sample, second: Sample, rng: np.random.Generator) -> np.ndarray:
        classes = np.flatnonzero(np.bincount(second.label.ravel(), minlength=VOID + 1)[:VOID])
        chosen = np.zeros(VOID + 1, bool)
        chosen[rng.permutation(classes)[: (len(classes) + 1) // 2]] = True
        mask: np.ndarray = chosen[second.label]
        return mask
