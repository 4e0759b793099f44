"""Labels that were anti-aliased, resized smoothly or saved with losses: their edges show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fcnlite.arrays import Array

CLASSES = 3
"""Classes that only blending explains; a thin class of one pixel's width may look like one."""
EDGES = 1 / 10
"""Of the pixels on edges, those between two sides: under 1/50 in CamVid, VOC and NYUDv2, also when resized by nearest
neighbour; 1/4 and more when they are resized smoothly."""

ON_EDGES_ONLY = 20
"""Numbers of which no pixel is surrounded by its like: no set of pictures has so many such classes."""

REMEDY = "make the labels anew, resizing by nearest neighbour, without anti-aliasing, saved as PNG all the way"


@dataclass(frozen=True)
class Counts:
    """Pixels by label, of one label map or of several."""

    all: Array
    inner: Array
    """Those whose four neighbours are the same."""
    between: Array
    """Those whose number lies between the two beside them, or above and below: what blending two classes makes."""
    height: int
    width: int

    @staticmethod
    def of(label: Array) -> Counts:
        """Of an H×W uint8 label map."""
        middle = label[1:-1, 1:-1]
        up, down, left, right = label[:-2, 1:-1], label[2:, 1:-1], label[1:-1, :-2], label[1:-1, 2:]
        inner = (middle == up) & (middle == down) & (middle == left) & (middle == right)
        between = _between(middle, up, down) | _between(middle, left, right)
        return Counts(_count(label), _count(middle[inner]), _count(middle[between]), *label.shape)

    @staticmethod
    def total(parts: Sequence[Counts]) -> Counts:
        """All together; height and width are the smallest."""
        return Counts(
            np.sum([each.all for each in parts], axis=0),
            np.sum([each.inner for each in parts], axis=0),
            np.sum([each.between for each in parts], axis=0),
            min(each.height for each in parts),
            min(each.width for each in parts),
        )


def signs_of_blending(counts: Counts) -> str | None:
    """What looks blended, in words: new numbers on edges that stand nowhere else, or far too many between two sides."""
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
