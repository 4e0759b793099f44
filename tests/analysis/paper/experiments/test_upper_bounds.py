"""The bound of a coarse prediction, on label maps whose bound is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fcnlite import data
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.experiments.upper_bounds import FACTORS, bounds, coarse
from fcnlite.analysis.paper.table import named
from fcnlite.data import VOID


def test_each_square_has_its_most_frequent_class() -> None:
    label = np.array([[0, 0, 1, 1, 2], [0, 1, 1, VOID, 2], [2, 2, VOID, VOID, 0]], np.uint8)
    expected = [[0, 0, 1, 1, 2], [0, 0, 1, 1, 2], [2, 2, 0, 0, 0]]
    assert coarse(label, 2, 3).tolist() == expected


def test_labels_that_are_coarse_themselves_have_no_error() -> None:
    label = np.kron(np.arange(6, dtype=np.uint8).reshape(2, 3) % 3, np.ones((16, 16), np.uint8))
    found = {factor: metrics.mean_iu for factor, metrics in zip(FACTORS, bounds([label], 3), strict=True)}
    assert found[16] == found[8] == found[4] == 1
    assert found[128] < found[64] < 1 or found[128] == found[64] < 1


def test_bounds_rise_with_finer_squares() -> None:
    page = named("upper-bounds").run(Settings())
    ours = [float(each.ours) for each in page.comparisons]
    assert ours == sorted(ours) and ours[-1] > 95
    assert [float(each.paper) for each in page.comparisons] == [50.9, 73.3, 86.1, 92.8, 96.4, 98.5]
    assert ours[0] == pytest.approx(12.4, abs=0.1)


def test_the_bound_of_a_label_folder_is_that_of_a_count_square_by_square(shared: Path) -> None:
    dataset = data.open("voc", shared / "data" / "voc2012_subset", "val")
    labels = [np.asarray(dataset[i].label) for i in range(2)]
    right, truth, predicted = (np.zeros(21) for _ in range(3))
    for label in labels:
        for y in range(0, label.shape[0], 32):
            for x in range(0, label.shape[1], 32):
                square = label[y : y + 32, x : x + 32]
                counts = [int((square == each).sum()) for each in range(21)]
                most = counts.index(max(counts))
                right[most] += counts[most]
                truth += counts
                predicted[most] += sum(counts)
    union = truth + predicted - right
    expected = (right[union > 0] / union[union > 0]).mean()
    assert bounds(labels, 21)[FACTORS.index(32)].mean_iu == pytest.approx(expected, abs=1e-12)
