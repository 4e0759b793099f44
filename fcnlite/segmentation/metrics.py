"""The four metrics of the FCN paper (Shelhamer, Long and Darrell, PAMI 2016, section 5), Dice and precision."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fcnlite._kernels.confusion import count
from fcnlite.errors import DataError


@dataclass(frozen=True)
class Metrics:
    """The metrics of n_ij pixels of class i that are predicted as class j, with t_i = Σ_j n_ij pixels of class i.

    The IU of a class that is in neither truth nor prediction is nan, and so is the accuracy of a class that is not in
    the truth; the means leave them out, as in the FCN reference. A class that is predicted but not in the truth has an
    IU of 0, which counts. Without pixels all metrics are nan.
    """

    pixel_accuracy: float
    """Σ_i n_ii / Σ_i t_i"""
    mean_accuracy: float
    """mean over i of n_ii / t_i"""
    mean_iu: float
    """mean over i of n_ii / (t_i + Σ_j n_ji − n_ii)"""
    frequency_weighted_iu: float
    """Σ_i t_i IU_i / Σ_k t_k"""
    iu: tuple[float, ...]
    """IU of each class"""
    accuracy: tuple[float, ...]
    """n_ii / t_i of each class, which is its recall"""
    precision: tuple[float, ...]
    """n_ii / Σ_j n_ji of each class; nan if it is never predicted"""
    dice: tuple[float, ...]
    """2 n_ii / (t_i + Σ_j n_ji) of each class, which is its F1 score"""
    mean_dice: float
    """mean over i of Dice, of the classes that have one"""

    @staticmethod
    def from_matrix(matrix: np.ndarray) -> Metrics:
        """The metrics of a (classes, classes) confusion matrix, rows = truth."""
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
            raise DataError(f"the confusion matrix has shape {matrix.shape}; expected a square matrix.")
        right = np.diag(matrix).astype(np.float64)
        truth = matrix.sum(axis=1, dtype=np.float64)
        predicted = matrix.sum(axis=0, dtype=np.float64)
        with np.errstate(invalid="ignore"):  # 0 / 0 is the nan of an absent class
            accuracy = right / truth
            iu = right / (truth + predicted - right)
            precision = right / predicted
            dice = 2 * right / (truth + predicted)
            frequency = truth / truth.sum()
            pixel_accuracy = right.sum() / truth.sum()
        return Metrics(
            pixel_accuracy=float(pixel_accuracy),
            mean_accuracy=_mean(accuracy),
            mean_iu=_mean(iu),
            frequency_weighted_iu=float(np.sum(np.where(frequency == 0, 0.0, frequency * iu))),
            iu=tuple(iu.tolist()),
            accuracy=tuple(accuracy.tolist()),
            precision=tuple(precision.tolist()),
            dice=tuple(dice.tolist()),
            mean_dice=_mean(dice),
        )


def confusion(truth: np.ndarray, prediction: np.ndarray, classes: int, ignore: int = 255) -> np.ndarray:
    """Count pixels by true class (row) and predicted class (column): a (classes, classes) int64 matrix.

    `truth` and `prediction` are integer arrays of one shape. Pixels whose `truth` is `ignore` are not counted. Raises
    `DataError` for different shapes, and for any other value outside 0…classes−1, which the message names.
    """
    matrix = np.zeros((classes, classes), np.int64)
    if truth.shape != prediction.shape:
        raise DataError(f"truth has shape {truth.shape} and prediction {prediction.shape}; they must agree.")
    for name, array in (("truth", truth), ("prediction", prediction)):
        if not np.issubdtype(array.dtype, np.integer):
            raise DataError(f"{name} is of type {array.dtype}; expected integers (class numbers).")
    number = np.uint8 if truth.dtype == prediction.dtype == np.uint8 else np.int64
    flat_truth = np.ascontiguousarray(truth, number).ravel()
    flat_prediction = np.ascontiguousarray(prediction, number).ravel()
    bad = count(flat_truth, flat_prediction, matrix, ignore)
    if bad >= 0:
        in_truth = not 0 <= flat_truth[bad] < classes
        name, value = ("truth", flat_truth[bad]) if in_truth else ("prediction", flat_prediction[bad])
        raise DataError(
            f"{name} holds the class {value}; expected 0 to {classes - 1}"
            + (f", or {ignore} for pixels to ignore." if in_truth else ".")
        )
    return matrix


def number(value: float) -> float | None:
    """`value` for JSON, which has no nan: None if it is not finite."""
    return value if math.isfinite(value) else None


def text(value: float, digits: int = 3) -> str:
    """`value` as text; a dash if it is not finite."""
    return f"{value:.{digits}f}" if math.isfinite(value) else "–"


def _mean(values: np.ndarray) -> float:
    """The mean of the values that are not nan; nan if there are none."""
    kept = values[~np.isnan(values)]
    return float(kept.mean()) if kept.size else float("nan")
