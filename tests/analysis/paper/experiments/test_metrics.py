"""The four metrics by hand, and the order in which each puts the predictions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.experiments.metrics import exact_metrics, predictions, skewed_truth
from fcnlite.analysis.paper.table import named
from fcnlite.segmentation.metrics import Metrics, confusion


def test_the_metrics_by_hand() -> None:
    truth = skewed_truth()
    found = {name: exact_metrics(confusion(truth, each, 3)) for name, each in predictions(truth).items()}
    assert found["perfect"] == (1, 1, 1, 1)
    # 9000 of 10000 pixels right; accuracies 1, 0, 0; IU 9000 / 10000, 0, 0.
    assert found["all background"] == (Fraction(9, 10), Fraction(1, 3), Fraction(3, 10), Fraction(81, 100))
    # Accuracies 1, 1, 0; IU 9000 / 9100, 1, 0.
    missed = Fraction(99, 100), Fraction(2, 3), (Fraction(90, 91) + 1) / 3, (9000 * Fraction(90, 91) + 900) / 10000
    assert found["wire missed"] == missed
    # The wire takes 400 pixels of background: accuracies 8600 / 9000, 1, 1; IU 8600 / 9000, 1, 100 / 500.
    assert found["wire too wide"][:3] == (
        Fraction(96, 100), (Fraction(86, 90) + 2) / 3, (Fraction(86, 90) + 1 + Fraction(1, 5)) / 3,
    )  # fmt: skip


def test_the_engine_agrees_with_the_fractions() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        matrix = rng.integers(0, 50, (5, 5)) + np.eye(5, dtype=np.int64)
        m = Metrics.from_matrix(matrix)
        computed = m.pixel_accuracy, m.mean_accuracy, m.mean_iu, m.frequency_weighted_iu
        assert computed == pytest.approx([float(each) for each in exact_metrics(matrix)], abs=1e-14)


def test_the_metrics_put_predictions_in_different_orders() -> None:
    truth = skewed_truth()
    pixel, mean, iu, weighted = zip(
        *(exact_metrics(confusion(truth, each, 3)) for each in predictions(truth).values()), strict=True
    )
    names = list(predictions(truth))
    missed, wide = names.index("wire missed"), names.index("wire too wide")
    assert pixel[missed] > pixel[wide] and weighted[missed] > weighted[wide]
    assert mean[missed] < mean[wide] and iu[missed] < iu[wide]


def test_the_page_finds_no_difference() -> None:
    page = named("metrics").run(Settings())
    assert [each.ours for each in page.comparisons] == ["90.0 %", "33.3 %", "30.0 %", "81.0 %"]
    assert not any("differ from the fractions" in part for part in page.parts if isinstance(part, str))
