"""The confusion matrix and the four metrics."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcnlite._kernels import confusion as kernel
from fcnlite.errors import DataError
from fcnlite.segmentation.metrics import Metrics, confusion


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(0, 300), st.sampled_from([np.uint8, np.int64]))
def test_the_kernel_equals_its_numpy_equivalent(seed: int, classes: int, pixels: int, number: type) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.choice([*range(classes), 255], pixels).astype(number)
    prediction = rng.integers(0, classes, pixels).astype(number)
    matrix = rng.integers(0, 9, (classes, classes))
    expected = matrix.copy()
    kept = truth != 255
    np.add.at(expected, (truth[kept], prediction[kept]), 1)
    assert kernel.count(truth, prediction, matrix, 255) == -1
    assert np.array_equal(matrix, expected)


@pytest.mark.parametrize("number", [np.uint8, np.int32, np.int64, np.uint64])
def test_rows_are_the_truth_for_every_integer_type(number: type) -> None:
    truth = np.array([[0, 0, 1], [2, 255, 2]]).astype(number)
    prediction = np.array([[0, 1, 1], [0, 2, 2]], np.int64)
    expected = [[1, 1, 0], [0, 1, 0], [1, 0, 1]]
    assert confusion(truth, prediction, 3).tolist() == expected
    assert confusion(truth.T, prediction.T.astype(np.uint8), 3).tolist() == expected
    assert confusion(truth, prediction, 3).dtype == np.int64


def test_other_ignored_values_and_classes_beyond_a_byte() -> None:
    truth = np.array([-1, 0, 299])
    assert confusion(truth, np.array([999, 0, 0]), 300, ignore=-1)[299, 0] == 1


@pytest.mark.parametrize(
    ("truth", "prediction", "message"),
    [
        ([0, 3], [0, 0], "truth holds the class 3; expected 0 to 2, or 255"),
        ([0, -1], [0, 0], "truth holds the class -1"),
        ([0, 1], [0, 3], r"prediction holds the class 3; expected 0 to 2\."),
        ([0, 1], [0, 255], "prediction holds the class 255"),
        ([0, 1], [0], r"shape \(2,\) and prediction \(1,\)"),
        ([0.0, 1.0], [0, 1], "truth is of type float64"),
    ],
)
def test_values_that_cannot_be_counted_are_named(truth: list, prediction: list, message: str) -> None:
    with pytest.raises(DataError, match=message):
        confusion(np.array(truth), np.array(prediction), 3)


@st.composite
def labelled(draw: Callable[[st.SearchStrategy[Any]], Any]) -> tuple[int, list[tuple[np.ndarray, np.ndarray]]]:
    """A number of classes, and pictures with a true and a predicted class for each pixel.

    Truth and prediction each draw from some of the classes only, so that others are absent from one or both; where
    void is drawn, there is a truth of 255 too.
    """
    classes = draw(st.integers(1, 6))
    some = st.lists(st.integers(0, classes - 1), min_size=1, max_size=classes)
    true, predicted = draw(some), draw(some)
    void = [255] * draw(st.integers(0, 2))
    pictures = []
    for _ in range(draw(st.integers(1, 3))):
        shape = (draw(st.integers(1, 5)), draw(st.integers(1, 5)))
        rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        pictures.append((rng.choice([*true, *void], shape), rng.choice(predicted, shape)))
    return classes, pictures


def mean(values: list[Fraction]) -> float:
    return float(sum(values) / len(values)) if values else math.nan


@given(labelled())
def test_the_metrics_equal_a_count_by_hand(drawn: tuple[int, list[tuple[np.ndarray, np.ndarray]]]) -> None:
    """Sets of pixels, class by class: what is true, what was predicted, what both have and what one of them has."""
    classes, pictures = drawn
    true: list[set[tuple[int, ...]]] = [set() for _ in range(classes)]
    predicted: list[set[tuple[int, ...]]] = [set() for _ in range(classes)]
    for number, (truth, prediction) in enumerate(pictures):
        for pixel in np.ndindex(*truth.shape):
            if truth[pixel] != 255:
                true[truth[pixel]].add((number, *pixel))
                predicted[prediction[pixel]].add((number, *pixel))
    pixels = sum(len(each) for each in true)
    right = [len(t & p) for t, p in zip(true, predicted, strict=True)]
    either = [len(t | p) for t, p in zip(true, predicted, strict=True)]
    accuracy = {i: Fraction(right[i], len(true[i])) for i in range(classes) if true[i]}
    iu = {i: Fraction(right[i], either[i]) for i in range(classes) if either[i]}

    metrics = Metrics.from_matrix(sum(confusion(*each, classes) for each in pictures))
    found = (metrics.pixel_accuracy, metrics.mean_accuracy, metrics.mean_iu, metrics.frequency_weighted_iu)
    expected = (
        float(Fraction(sum(right), pixels)) if pixels else math.nan,
        mean(list(accuracy.values())),
        mean(list(iu.values())),
        float(sum(len(true[i]) * iu[i] for i in iu) / pixels) if pixels else math.nan,
    )
    assert found == pytest.approx(expected, rel=1e-12, nan_ok=True)
    each_accuracy = [float(accuracy.get(i, math.nan)) for i in range(classes)]
    assert metrics.accuracy == pytest.approx(each_accuracy, rel=1e-12, nan_ok=True)
    each_iu = [float(iu.get(i, math.nan)) for i in range(classes)]
    assert metrics.iu == pytest.approx(each_iu, rel=1e-12, nan_ok=True)


def test_the_metrics_of_the_paper_by_hand() -> None:
    metrics = Metrics.from_matrix(np.array([[6, 2], [1, 3]]))
    assert metrics.pixel_accuracy == pytest.approx(9 / 12)
    assert metrics.accuracy == pytest.approx((6 / 8, 3 / 4))
    assert metrics.mean_accuracy == pytest.approx(3 / 4)
    assert metrics.iu == pytest.approx((6 / 9, 3 / 6))
    assert metrics.mean_iu == pytest.approx((6 / 9 + 3 / 6) / 2)
    assert metrics.frequency_weighted_iu == pytest.approx((8 * 6 / 9 + 4 * 3 / 6) / 12)


def test_absent_classes_are_left_out_of_the_means() -> None:
    """Class 1 is predicted but not there: IU 0, no accuracy. Class 2 is neither."""
    metrics = Metrics.from_matrix(np.array([[3, 1, 0], [0, 0, 0], [0, 0, 0]]))
    assert metrics.iu[:2] == (0.75, 0.0)
    assert math.isnan(metrics.iu[2])
    assert metrics.mean_iu == 0.375
    assert metrics.mean_accuracy == 0.75
    assert metrics.frequency_weighted_iu == 0.75


def test_nothing_counted_is_nan_without_warnings(recwarn: pytest.WarningsRecorder) -> None:
    metrics = Metrics.from_matrix(np.zeros((2, 2), np.int64))
    figures = (metrics.pixel_accuracy, metrics.mean_accuracy, metrics.mean_iu, metrics.frequency_weighted_iu)
    assert all(math.isnan(figure) for figure in figures)
    assert not recwarn.list


def test_large_counts_do_not_overflow() -> None:
    assert Metrics.from_matrix(np.full((2, 2), 2**61)).mean_iu == pytest.approx(1 / 3)


def test_a_matrix_must_be_square() -> None:
    with pytest.raises(DataError, match=r"shape \(2, 3\)"):
        Metrics.from_matrix(np.zeros((2, 3), np.int64))
