"""Recognises labels that were anti-aliased, resized smoothly or saved with lossy compression.

Each of these blends the numbers of two classes on their edge into numbers between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fcnlite.arrays import Array

CLASSES = 3
"""The number of values with signs of blending from which on labels count as blended. Fewer may be thin classes, one
pixel wide."""
EDGES = 1 / 10
"""The share of edge pixels with a value between those of two sides, above which labels count as blended. It is under
1/50 in CamVid, VOC and NYUDv2, also after resizing by nearest neighbour, and at least 1/4 after smooth resizing."""

ON_EDGES_ONLY = 20
"""The number of values that occur on edges only, from which on labels count as blended: no data set has so many classes
without an inner pixel."""

REMEDY = "create the labels again: resize by nearest neighbour, without anti-aliasing, and save only as PNG"


@dataclass(frozen=True)
class Counts:
    """Pixel counts by value, of one label map or several."""

    all: Array
    """All pixels."""
    inner: Array
    """Pixels whose four neighbours have the same value."""
    between: Array
    """Pixels with a value between those of their left and right, or upper and lower, neighbours, as blending makes."""
    height: int
    width: int

    @staticmethod
    def of(label: Array) -> Counts:
        """The counts of an H×W uint8 label map."""
        middle = label[1:-1, 1:-1]
        up, down, left, right = label[:-2, 1:-1], label[2:, 1:-1], label[1:-1, :-2], label[1:-1, 2:]
        inner = (middle == up) & (middle == down) & (middle == left) & (middle == right)
        between = _between(middle, up, down) | _between(middle, left, right)
        return Counts(_count(label), _count(middle[inner]), _count(middle[between]), *label.shape)

    @staticmethod
    def total(parts: Sequence[Counts]) -> Counts:
        """The sums of the counts; height and width are the smallest ones."""
        return Counts(
            np.sum([each.all for each in parts], axis=0),
            np.sum([each.inner for each in parts], axis=0),
            np.sum([each.between for each in parts], axis=0),
            min(each.height for each in parts),
            min(each.width for each in parts),
        )


def signs_of_blending(counts: Counts) -> str | None:
    """Describe the signs of blending: values on edges only, or many edge pixels between two sides. None if absent."""
    thin = np.count_nonzero((counts.all > 0) & (counts.inner == 0))
    if thin >= ON_EDGES_ONLY:
        return f"{thin} of {np.count_nonzero(counts.all)} numbers are found on edges only"
    suspects = (counts.all > 0) & (counts.inner == 0) & (2 * counts.between > counts.all)
    edges = int((counts.all - counts.inner).sum())
    share = counts.between.sum() / max(1, edges)
    several = np.count_nonzero(counts.between > edges / 1000) >= CLASSES
    if suspects.sum() >= CLASSES:
        found = [str(value) for value in np.flatnonzero(suspects)]
        numbers = ", ".join(found[:6]) + (f" and {len(found) - 6} more" if len(found) > 6 else "")
        return f"the numbers {numbers} are found on edges only, between the numbers of the two sides"
    if share > EDGES and several:
        return f"{100 * share:.0f} % of the pixels on edges have a number between those of the two sides"
    return None


def _between(middle: Array, one: Array, other: Array) -> Array:
    return (np.minimum(one, other) < middle) & (middle < np.maximum(one, other))


def _count(labels: Array) -> Array:
    return np.bincount(labels.reshape(-1), minlength=256)
