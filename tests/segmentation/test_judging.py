"""Dice, precision, calibration and bootstrap intervals, each against a count by hand or a slow loop."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fcnlite.errors import DataError
from fcnlite.segmentation.bootstrap import drawings, interval
from fcnlite.segmentation.calibration import BINS, Calibration
from fcnlite.segmentation.metrics import Metrics, confusion


def test_dice_and_precision_of_random_label_maps() -> None:
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(0, 4, (2, 500))
    truth[rng.random(500) < 0.1] = 255
    found = Metrics.from_matrix(confusion(truth, predicted, 5))
    for label in range(4):
        a, b = (truth == label), (predicted == label) & (truth != 255)
        assert found.dice[label] == pytest.approx(2 * (a & b).sum() / (a.sum() + b.sum()))
        assert found.precision[label] == pytest.approx((a & b).sum() / b.sum())
        assert found.accuracy[label] == pytest.approx((a & b).sum() / a.sum())
        assert found.iu[label] == pytest.approx(found.dice[label] / (2 - found.dice[label]))
    assert math.isnan(found.dice[4]) and math.isnan(found.precision[4])
    assert found.mean_dice == pytest.approx(np.mean(found.dice[:4]))


def test_they_are_those_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="needs scikit-learn (the extra digits)")
    rng = np.random.default_rng(1)
    truth, predicted = rng.integers(0, 6, (2, 800))
    found = Metrics.from_matrix(confusion(truth, predicted, 6))
    precision, recall, dice, _ = metrics.precision_recall_fscore_support(truth, predicted)
    np.testing.assert_allclose([found.precision, found.accuracy, found.dice], [precision, recall, dice])
    np.testing.assert_allclose(found.iu, metrics.jaccard_score(truth, predicted, average=None))


def test_the_calibration_error_is_that_of_its_definition() -> None:
    rng = np.random.default_rng(2)
    counts = Calibration()
    sure: list[float] = []
    right: list[bool] = []
    for _ in range(3):
        scores = np.exp(rng.normal(0, 2, (3, 7, 9)))
        probabilities = (scores / scores.sum(axis=0)).astype(np.float32)
        predicted = probabilities.argmax(axis=0)
        truth = rng.integers(0, 3, (7, 9))
        truth[0, :4] = 255
        counts.add(probabilities, predicted, truth)
        for y, x in np.ndindex(7, 9):
            if truth[y, x] != 255:
                sure.append(float(probabilities[:, y, x].max()))
                right.append(bool(predicted[y, x] == truth[y, x]))
    error = 0.0
    for b in range(BINS):
        inside = [i for i, each in enumerate(sure) if b / BINS < each <= (b + 1) / BINS]
        if inside:
            gap = np.mean([right[i] for i in inside]) - np.mean([sure[i] for i in inside])
            error += len(inside) / len(sure) * abs(float(gap))
    assert counts.error == pytest.approx(error, abs=1e-9)
    assert counts.pixels.sum() == 3 * (63 - 4)
    assert math.isnan(Calibration().error)


def test_a_net_that_is_right_as_often_as_it_is_sure_has_no_error() -> None:
    counts = Calibration()
    probabilities = np.stack((np.full((1, 10), 0.7), np.full((1, 10), 0.3)))
    counts.add(probabilities, np.zeros((1, 10), int), np.array([[0] * 7 + [1] * 3]))
    assert counts.error == pytest.approx(0, abs=1e-12)
    counts.add(probabilities, np.zeros((1, 10), int), np.ones((1, 10), int))
    assert counts.error == pytest.approx(0.35)


def matrices() -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    found = [rng.integers(0, 40, (3, 3)) + 30 * np.eye(3, dtype=int) for _ in range(8)]
    found[0][2] = found[0][:, 2] = 0  # a class that one picture lacks
    return found


def test_each_drawing_has_the_figures_of_its_pictures() -> None:
    pictures = matrices()
    drawn = drawings(pictures, 25)
    weights = np.random.default_rng(20141114).multinomial(8, np.full(8, 1 / 8), 25)
    for i, counts in enumerate(weights):
        metrics = Metrics.from_matrix(sum(n * matrix for n, matrix in zip(counts, pictures, strict=True)))
        for name, values in drawn.items():
            np.testing.assert_allclose(values[i], getattr(metrics, name), err_msg=name)


def test_intervals_hold_the_figure_and_narrow_with_more_pictures() -> None:
    few, many = matrices(), matrices() * 16
    whole = Metrics.from_matrix(sum(few)).mean_iu
    widths = []
    for pictures in (few, many):
        low, high = interval(drawings(pictures)["mean_iu"])
        assert low < whole < high
        widths.append(high - low)
    assert 3 < widths[0] / widths[1] < 5.5  # four times as narrow with sixteen times the pictures
    # The standard error of a mean, where the figure is one: pixel accuracies of pictures with equally many pixels.
    right = np.random.default_rng(4).integers(40, 90, 60)
    low, high = interval(drawings([np.array([[n, 100 - n], [0, 0]]) for n in right])["pixel_accuracy"])
    assert (high - low) / 2 == pytest.approx(1.96 * right.std() / 100 / np.sqrt(60), rel=0.1)


def test_one_picture_has_no_interval() -> None:
    with pytest.raises(DataError, match="at least two pictures; leave out --intervals"):
        drawings(matrices()[:1])
    assert all(map(math.isnan, interval(np.full(3, np.nan))))
