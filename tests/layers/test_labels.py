"""Labels, which SoftmaxWithLoss, InfogainLoss and Accuracy read in the same way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import log_softmax

from fcnlite.errors import DataError, ShapeError
from tests.layers.single import INF, LABELS, NAN, SCORES, compute, one

NEEDED: dict[str, dict[str, Any]] = {
    "SoftmaxWithLoss": {},
    "InfogainLoss": {"matrix": np.eye(4).ravel().tolist()},
    "Accuracy": {},
}
"""The required options of a type."""


@pytest.mark.parametrize("type_", NEEDED)
@pytest.mark.parametrize("value", [4, -1, 255, 1.5, 1e30, NAN, INF])
def test_labels_that_are_not_classes_are_named(type_: str, value: float) -> None:
    labels = LABELS.astype(np.float64)
    labels[1, 2, 3] = value
    shown = "nan|NaN" if np.isnan(value) else f"{value:g}".replace("+", r"\+")
    for options in ({}, {"ignore_label": 254}):
        with pytest.raises(DataError, match=rf"'layer'.*({shown})"):
            compute(type_, [SCORES, labels], {**NEEDED[type_], **options})


@pytest.mark.parametrize("ignored", [-1, 2, 255])
@pytest.mark.parametrize("type_", NEEDED)
def test_exactly_the_ignored_label_is_ignored(type_: str, ignored: int) -> None:
    """A class can be ignored too; then its positions do not count."""
    labels = LABELS.copy()
    labels[0, 0] = ignored
    kept = labels != ignored
    (found,) = compute(type_, [SCORES, labels], {**NEEDED[type_], "ignore_label": ignored})
    rows = np.argwhere(kept)
    if type_ == "Accuracy":
        expected = np.mean(SCORES.argmax(1)[kept] == labels[kept])
    else:
        expected = -np.mean([log_softmax(SCORES, 1)[n, labels[n, y, x], y, x] for n, y, x in rows])
    assert float(found) == pytest.approx(float(expected), rel=1e-12)


@pytest.mark.parametrize("type_", NEEDED)
@pytest.mark.parametrize("shape", [(2, 5, 3), (2, 15), (2, 2, 3, 5), (1, 3, 5)])
def test_labels_of_another_shape_are_named(type_: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=rf"'layer'.*x0 2×4×3×5.*x1 {'×'.join(map(str, shape))}"):
        one(type_, [SCORES.shape, shape], NEEDED[type_])
