"""How far figures may be from those of other pictures of the same kind: bootstrap intervals over pictures.

Pictures are drawn with replacement, as many as there are, `RESAMPLES` times; the figures of each drawing are computed
from the sums of its confusion matrices. An interval reaches from their 2.5th to their 97.5th percentile (Efron's
percentile interval). Pixels of a picture are not independent, so whole pictures are drawn. Two nets that were measured
on the same pictures are compared on the same drawings.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from fcnlite.arrays import Array
from fcnlite.errors import DataError

RESAMPLES = 1000
_SEED = 20141114
_TAILS = (2.5, 97.5)

Interval = tuple[float, float]
Figures = dict[str, Array]
"""By name the values of a figure in every drawing: R, or R×classes."""


def drawings(matrices: Sequence[Array], resamples: int = RESAMPLES) -> Figures:
    """The figures in `resamples` drawings of pictures, from the confusion matrix of each picture.

    Raises `DataError` for fewer than two pictures.
    """
    if len(matrices) < 2:
        raise DataError("intervals need at least two pictures; leave out --intervals.")
    rng = np.random.default_rng(_SEED)
    weights = rng.multinomial(len(matrices), np.full(len(matrices), 1 / len(matrices)), resamples).astype(np.float64)
    stacked = np.stack(matrices).astype(np.float64)
    right = weights @ np.diagonal(stacked, axis1=1, axis2=2)
    return _figures(right, weights @ stacked.sum(axis=2), weights @ stacked.sum(axis=1))


def _figures(right: Array, truth: Array, predicted: Array) -> Figures:
    """The figures of `Metrics` from R×classes sums of right, true and predicted pixels."""
    with np.errstate(invalid="ignore", divide="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a mean over no class is nan
        accuracy, iu = right / truth, right / (truth + predicted - right)
        dice, precision = 2 * right / (truth + predicted), right / predicted
        frequency = truth / truth.sum(axis=1, keepdims=True)
        return {
            "pixel_accuracy": right.sum(axis=1) / truth.sum(axis=1),
            "mean_accuracy": np.nanmean(accuracy, axis=1),
            "mean_iu": np.nanmean(iu, axis=1),
            "frequency_weighted_iu": np.where(frequency == 0, 0.0, frequency * iu).sum(axis=1),
            "mean_dice": np.nanmean(dice, axis=1),
            "iu": iu,
            "dice": dice,
            "precision": precision,
            "accuracy": accuracy,
        }


def interval(values: Array) -> Interval:
    """The interval of the values of a figure in all drawings; NaN if it has no value in any."""
    kept = values[np.isfinite(values)]
    if not kept.size:
        return float("nan"), float("nan")
    low, high = np.percentile(kept, _TAILS)
    return float(low), float(high)
