"""Scores of single pictures, and the pictures that a report shows."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fcnlite.data import Dataset, Sample
from fcnlite.description.model_info import Labels
from fcnlite.segmentation import evaluation
from fcnlite.segmentation.segmenter import Segmenter
from fcnlite.train.validation import Scores, predictions
from tests.color_net import CLASSES, COLORS, color_net


def test_pictures_are_ranked_by_mean_iu_and_void_ones_come_last() -> None:
    scores = Scores()
    right, half, void = np.diag([4, 4]), np.array([[2, 2], [1, 3]]), np.zeros((2, 2), np.int64)
    for name, matrix in (("void", void), ("right", right), ("half", half)):
        scores(name, matrix)
    ranked = scores.worst_first()
    assert [(each.name, each.index) for each in ranked] == [("half", 2), ("right", 1), ("void", 0)]
    assert ranked[0].mean_iu == pytest.approx((2 / 5 + 3 / 6) / 2)
    assert ranked[0].mistake == (0, 1, 2 / 8)
    assert ranked[1].mistake is None and math.isnan(ranked[2].mean_iu)


class Stripes(Dataset):
    """Picture i is red, but its label says so for i of its 20 columns only."""

    splits = ("val",)

    def __init__(self) -> None:
        super().__init__("stripes", "val", {"label": Labels(CLASSES, COLORS)})

    def __len__(self) -> int:
        return 20

    def __getitem__(self, index: int) -> Sample:
        label = np.full((8, 20), 1, np.uint8)
        label[:, :index] = 0
        return Sample({"data": np.full((8, 20, 3), COLORS[0], np.uint8)}, {"label": label}, f"s{index}")


def test_the_worst_pictures_are_shown_the_middle_one_and_the_best() -> None:
    segmenter, dataset, scores = Segmenter(color_net()), Stripes(), Scores()
    evaluation.confusion(segmenter, dataset, each=scores)
    shown = predictions(segmenter, dataset, scores.worst_first())
    assert [each.score.name for each in shown] == ["s0", "s1", "s2", "s3", "s10", "s19"]
    for each in shown:
        np.testing.assert_array_equal(each.predicted, 0)
        assert each.score.pixel_accuracy == each.score.index / 20
    spread = predictions(segmenter, dataset)  # without scores, over all of it
    assert [each.score.index for each in spread] == [0, 3, 7, 11, 15, 19]
