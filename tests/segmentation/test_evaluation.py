"""Measuring a net on a data set."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fcnlite.data import VOID, Dataset, Sample, Shapes
from fcnlite.description.model_info import Labels
from fcnlite.errors import DataError
from fcnlite.segmentation.evaluation import confusion, evaluate
from fcnlite.segmentation.segmenter import Segmenter
from tests.color_net import CLASSES, COLORS, color_net


class Columns(Dataset):
    """Pictures of columns of pure colours, of different sizes, with labels that are partly another class."""

    splits = ("val",)
    shown = ((0, 0, 1, 2), (1, 1))
    labelled = ((0, 1, 1, VOID), (1, 1))

    def __init__(self) -> None:
        super().__init__("columns", "val", {"label": Labels(CLASSES, COLORS)})

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Sample:
        image = np.array([[COLORS[color] for color in self.shown[index]]] * 3, np.uint8)
        label = np.array([self.labelled[index]] * 3, np.uint8)
        return Sample({"data": image}, {"label": label}, str(index))


def test_counts_pixels_by_true_and_predicted_class_without_void() -> None:
    np.testing.assert_array_equal(confusion(color_net(), Columns()), [[3, 0, 0], [3, 9, 0], [0, 0, 0]])


def test_metrics_are_those_of_the_matrix() -> None:
    metrics = evaluate(Segmenter(color_net()), Columns())
    assert metrics.pixel_accuracy == pytest.approx(12 / 15)
    assert metrics.mean_accuracy == pytest.approx((3 / 3 + 9 / 12) / 2)
    assert metrics.iu[:2] == pytest.approx((3 / 6, 9 / 12))
    assert math.isnan(metrics.iu[2])
    assert metrics.mean_iu == pytest.approx((3 / 6 + 9 / 12) / 2)
    assert metrics.frequency_weighted_iu == pytest.approx((3 * 3 / 6 + 12 * 9 / 12) / 15)


def test_progress_is_reported_after_every_picture() -> None:
    seen: list[tuple[int, int]] = []
    evaluate(color_net(), Columns(), lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]


def test_the_matrix_of_each_picture_is_reported_with_its_name() -> None:
    seen: list[tuple[str, list[list[int]]]] = []
    matrix = confusion(color_net(), Columns(), each=lambda name, found: seen.append((name, found.tolist())))
    assert seen == [("0", [[3, 0, 0], [3, 3, 0], [0, 0, 0]]), ("1", [[0, 0, 0], [0, 6, 0], [0, 0, 0]])]
    np.testing.assert_array_equal(matrix, sum(np.array(found) for _, found in seen))


def test_follows_training_through_a_shared_net() -> None:
    training = color_net().share("TRAIN")
    validating = training.share("TEST")
    assert evaluate(validating, Columns()).pixel_accuracy == pytest.approx(12 / 15)
    training.params["classify"][0].data[...] = 0  # everything is class 0 now
    assert evaluate(validating, Columns()).pixel_accuracy == pytest.approx(3 / 15)


def test_class_counts_must_agree() -> None:
    words = r"scores 3 classes, but data set 'shapes' has 6 \(background, disc, square, triangle, \.\.\.\)"
    with pytest.raises(DataError, match=words):
        evaluate(color_net(), Shapes("val", count=1))
