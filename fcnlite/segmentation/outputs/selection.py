"""Which pixels of a label map keep their class: chosen classes, confident pixels, regions of some size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fcnlite.arrays import Array
from fcnlite.data.sample import VOID
from fcnlite.errors import DataError, nearest
from fcnlite.segmentation.outputs.regions import components


@dataclass(frozen=True)
class Selection:
    """The pixels that keep their class; all others become `VOID`, which means unknown.

    `only`: the numbers of the classes that are kept; empty for all. `min_confidence`: the least probability of a
    pixel's class, 0 to 1. `min_area`: regions of fewer pixels take the class of the nearest pixel of a larger one.
    """

    only: tuple[int, ...] = ()
    min_confidence: float = 0.0
    min_area: int = 0

    @staticmethod
    def of(classes: Sequence[str], only: Sequence[str], min_confidence: float, min_area: int) -> Selection:
        """The selection of classes by name. Raises `DataError` for unknown names and values out of range."""
        for name in only:
            if name not in classes:
                raise DataError(f"--only {name}: the net has no such class; {nearest(name, classes)}")
        if not 0 <= min_confidence <= 1:
            raise DataError(f"--min-confidence is {min_confidence:g}; expected 0 to 1.")
        return Selection(tuple(classes.index(name) for name in only), min_confidence, min_area)

    @property
    def all(self) -> bool:
        """Whether every pixel keeps its class."""
        return self == Selection()

    def apply(self, labels: Array, probabilities: Array | None) -> Array:
        """The label map of the selection, H×W uint8; `probabilities`, C×H×W, are needed for `min_confidence`."""
        if self.all:
            return labels
        kept = labels.copy()
        if self.only:
            kept[~np.isin(labels, self.only)] = VOID
        if self.min_confidence > 0 and probabilities is not None:
            kept[probabilities.max(axis=0) < self.min_confidence] = VOID
        return without_small_regions(kept, self.min_area) if self.min_area > 1 else kept


def without_small_regions(labels: Array, least: int) -> Array:
    """`labels` in which regions of fewer than `least` pixels have the class of the nearest pixel of a larger region.

    Regions are connected by their sides (4 neighbours). Pixels that are void stay so. Without a larger region, all
    pixels of small ones become void.
    """
    from scipy import ndimage

    found = components(labels)
    small = (found.sizes < least)[found.numbers] & (labels != VOID)
    if not small.any():
        return labels
    large = ~small & (labels != VOID)
    if not large.any():
        return np.where(small, np.uint8(VOID), labels)
    rows, columns = ndimage.distance_transform_edt(~large, return_distances=False, return_indices=True)
    return np.where(small, labels[rows, columns], labels)
