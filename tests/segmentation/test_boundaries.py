"""The boundary F1 score, against a count by hand and against plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fcnlite.data.sample import VOID
from fcnlite.segmentation.boundaries import TOLERANCE, Boundaries


def places(labels: np.ndarray, label: int) -> list[tuple[int, int]]:
    """The boundary pixels of a class."""
    height, width = labels.shape
    found = []
    for y, x in zip(*np.nonzero(labels == label), strict=True):
        around = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
        inside = [labels[j, i] for j, i in around if 0 <= j < height and 0 <= i < width]
        if any(each not in (label, VOID) for each in inside):
            found.append((int(y), int(x)))
    return found


def share(ours: list[tuple[int, int]], theirs: list[tuple[int, int]], reach: float) -> float:
    near = [any(math.dist(one, other) <= reach for other in theirs) for one in ours]
    return sum(near) / len(near) if near else 0.0


def test_it_is_that_of_plain_loops() -> None:
    rng = np.random.default_rng(0)
    scores, totals = np.zeros(4), np.zeros(4)
    counted = Boundaries(4)
    for size in ((24, 30), (150, 160), (9, 11)):
        small = rng.integers(0, 3, (-(-size[0] // 6), -(-size[1] // 6)))
        truth = np.kron(small, np.ones((6, 6), int))[: size[0], : size[1]].astype(np.uint8)
        predicted = np.roll(truth, (1, 2), (0, 1))
        predicted[:5, :5] = 2
        truth[2:5, 3:8] = VOID
        counted.add(predicted, truth)
        shown = np.where(truth == VOID, VOID, predicted)
        for label in range(4):
            ours, true = places(shown, label), places(truth, label)
            if ours or true:
                reach = TOLERANCE * math.hypot(*size)
                precision, recall = share(ours, true, reach), share(true, ours, reach)
                scores[label] += 2 * precision * recall / (precision + recall) if precision + recall else 0
                totals[label] += 1
    assert totals.min() == 0 < totals[:3].min()
    np.testing.assert_allclose(counted.by_class[:3], scores[:3] / totals[:3], rtol=1e-12)
    assert np.isnan(counted.by_class[3])
    assert counted.mean == pytest.approx(np.mean(scores[:3] / totals[:3]))


def test_a_count_by_hand() -> None:
    """The outline is one column off: a distance of 1, more than 0.75 % of the diagonal of 10×10 pixels."""
    truth = np.zeros((10, 10), np.uint8)
    truth[:, 5:] = 1
    shifted = np.roll(truth, 1, axis=1)
    shifted[:, 0] = 0
    for predicted, expected in ((truth, 1.0), (shifted, 0.0), (np.zeros_like(truth), 0.0)):
        counted = Boundaries(2)
        counted.add(predicted, truth)
        assert counted.by_class.tolist() == [expected, expected]
    # Of 200×200 pixels 0.75 % are 2.1.
    large = np.kron(truth, np.ones((20, 20), np.uint8))
    moved = np.roll(large, 2, axis=1)
    moved[:, :2] = 0
    counted = Boundaries(2)
    counted.add(moved, large)
    assert counted.mean == 1.0


def test_nothing_counted_is_nan(recwarn: pytest.WarningsRecorder) -> None:
    counted = Boundaries(2)
    counted.add(np.zeros((3, 3), np.uint8), np.zeros((3, 3), np.uint8))
    assert math.isnan(counted.mean) and not recwarn.list
