"""Whether a net is as often right as it is sure: the expected calibration error of its pixels.

The probability that the net gives its class is the confidence of a pixel. The pixels are put into `BINS` bins of equal
width by their confidence; n_b pixels are in bin b, of which the share a_b is right, with the mean confidence c_b:

    ECE = Σ_b n_b / n · |a_b − c_b|

Guo, Pleiss, Sun and Weinberger, On Calibration of Modern Neural Networks, ICML 2017, section 2.
"""

from __future__ import annotations

import math

import numpy as np

from fcnlite.arrays import Array
from fcnlite.data.sample import VOID
from fcnlite.ranks.communicator import Communicator

BINS = 15


class Calibration:
    """The pixels of all pictures, counted by confidence."""

    def __init__(self) -> None:
        self.pixels = np.zeros(BINS, np.int64)
        """The number of pixels in each bin."""
        self.right = np.zeros(BINS, np.int64)
        """Those of the predicted class."""
        self.confidence = np.zeros(BINS)
        """The sum of their confidences."""

    def add(self, probabilities: Array, predicted: Array, truth: Array) -> None:
        """Count the pixels of a picture that are not void: C×H×W probabilities, H×W predicted and true classes."""
        counted = truth != VOID
        sure = probabilities.max(axis=0)[counted].astype(np.float64)
        bins = np.clip(np.ceil(sure * BINS).astype(np.int64) - 1, 0, BINS - 1)
        self.pixels += np.bincount(bins, minlength=BINS)
        self.right += np.bincount(bins[predicted[counted] == truth[counted]], minlength=BINS)
        self.confidence += np.bincount(bins, sure, BINS)

    def gather(self, ranks: Communicator) -> None:
        """Add up the counts of all ranks."""
        self.pixels, self.right = ranks.sum(self.pixels), ranks.sum(self.right)
        self.confidence = ranks.sum(self.confidence)

    @property
    def error(self) -> float:
        """The expected calibration error, 0 to 1; NaN without pixels."""
        total = int(self.pixels.sum())
        return float(abs(self.right - self.confidence).sum() / total) if total else math.nan
