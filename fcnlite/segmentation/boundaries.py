"""How well the outlines of a label map follow the true ones: the boundary F1 score.

A pixel of a class is at its boundary if a pixel beside, above or below it has another class. For a class in a picture,

    precision = the share of the predicted boundary pixels within θ of a true boundary pixel
    recall    = the share of the true boundary pixels within θ of a predicted one
    F1        = 2 · precision · recall / (precision + recall)

where θ is 0.75 % of the picture's diagonal. The score of a class is the mean of its F1 over the pictures in which it
has a boundary, true or predicted; the score of a net is the mean over the classes. Outlines are often drawn as thin
void lines: void pixels take the true class of the nearest pixel that has one, and boundary pixels farther than θ from
such a pixel do not count. Csurka, Larlus and Perronnin, What is a good evaluation measure for semantic segmentation?,
BMVC 2013.
"""

from __future__ import annotations

import math
import warnings

import numpy as np

from fcnlite.arrays import Array
from fcnlite.data.sample import VOID
from fcnlite.ranks.communicator import Communicator

TOLERANCE = 0.0075
"""θ, relative to the diagonal."""


class Boundaries:
    """The scores of all pictures, summed by class."""

    def __init__(self, classes: int) -> None:
        self._sums = np.zeros(classes)
        self._pictures = np.zeros(classes, np.int64)

    def add(self, predicted: Array, truth: Array) -> None:
        """Score a picture: H×W predicted and true classes."""
        from scipy import ndimage

        known = truth != VOID
        if not known.any():
            return
        reach = TOLERANCE * math.hypot(*truth.shape)
        distances, (rows, columns) = ndimage.distance_transform_edt(~known, return_indices=True)
        maps = predicted, truth[rows, columns]
        edges = [_edges(each) & (distances <= reach) for each in maps]
        for label in range(len(self._sums)):
            ours, true = (edge & (each == label) for edge, each in zip(edges, maps, strict=True))
            if not (ours.any() or true.any()):
                continue
            self._pictures[label] += 1
            if ours.any() and true.any():
                precision = np.mean(ndimage.distance_transform_edt(~true)[ours] <= reach)
                recall = np.mean(ndimage.distance_transform_edt(~ours)[true] <= reach)
                if precision + recall:
                    self._sums[label] += 2 * precision * recall / (precision + recall)

    def gather(self, ranks: Communicator) -> None:
        """Add up the sums of all ranks."""
        self._sums, self._pictures = ranks.sum(self._sums), ranks.sum(self._pictures)

    @property
    def by_class(self) -> Array:
        """The score of each class, 0 to 1; NaN for one without a boundary in any picture."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self._sums / self._pictures)

    @property
    def mean(self) -> float:
        """The mean over the classes that have a score."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # no class has one
            return float(np.nanmean(self.by_class))


def _edges(labels: Array) -> Array:
    """The pixels with a neighbour of another class, H×W bool."""
    upright, flat = labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
    found = np.zeros(labels.shape, bool)
    for part, differ in ((found[1:], upright), (found[:-1], upright), (found[:, 1:], flat), (found[:, :-1], flat)):
        part |= differ
    return found
