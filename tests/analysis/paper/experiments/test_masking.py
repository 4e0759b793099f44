"""Masking of pictures, the score without background, and what the six rows show."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite import data
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.experiments import masking
from fcnlite.analysis.paper.experiments.masking import Keep, masked, object_iu, seen
from fcnlite.analysis.paper.table import named
from fcnlite.data import VOID
from fcnlite.segmentation.metrics import Metrics

FILL = np.array([7, 8, 9], np.uint8)
WHITE = [255, 255, 255]


@pytest.mark.parametrize(
    ("keep", "expected"),
    [
        (Keep(True, True), [[1, 1, 1], [2, 2, 2], [3, 3, 3]]),
        (Keep(True, False), [[7, 8, 9], [2, 2, 2], [3, 3, 3]]),
        (Keep(False, True), [[1, 1, 1], [7, 8, 9], [7, 8, 9]]),
        (Keep(False, False), [[7, 8, 9], WHITE, WHITE]),
    ],
)
def test_masked_pixels_have_the_mean(keep: Keep, expected: list[list[int]]) -> None:
    image = np.repeat(np.array([[1, 2, 3]], np.uint8)[:, :, None], 3, axis=2)
    found = masked(image, np.array([[0, 4, VOID]], np.uint8), keep, FILL)
    assert found.dtype == np.uint8 and found[0].tolist() == expected
    assert image[0, :, 0].tolist() == [1, 2, 3]


def test_only_the_pictures_are_masked_and_with_the_value_that_is_0_in_the_input() -> None:
    shapes = data.open("shapes", split="train", size=32, count=2)
    sample, whole = seen(shapes, Keep(False, True))[1], shapes[1]
    assert (sample.label == whole.label).all()
    assert (sample.image[whole.label != 0] == [123, 117, 104]).all()
    assert (sample.image[whole.label == 0] == whole.image[whole.label == 0]).all()


def test_background_does_not_count_but_takes_pixels() -> None:
    def of(matrix: list[list[int]]) -> float:
        return object_iu(Metrics.from_matrix(np.array(matrix)))

    assert of([[9, 1, 0], [0, 3, 0], [2, 0, 2]]) == pytest.approx((3 / 4 + 2 / 4) / 2)
    assert of([[9, 0, 0], [0, 3, 0], [0, 0, 0]]) == 1
    assert np.isnan(of([[9, 0], [0, 0]]))


def test_a_short_run_fills_every_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "_PICTURES", (8, 4))
    monkeypatch.setattr(masking, "_SEEDS", 1)
    page = named("masking").run(Settings(iterations=1))
    assert [float(each.paper) for each in page.comparisons] == [84.8, 81.0, 19.8, 76.1, 37.8, 29.1]


def test_nets_that_learned_nothing_are_not_compared() -> None:
    nothing = dict.fromkeys((row.name for row in masking.ROWS), 0.0)
    assert "more --iterations" in masking._findings(nothing)
    equal = masking._findings({**nothing, "Reference": 80.0, "Reference-FG": 60.0, "FG-only": 60.0})
    assert "if training masks it too: both are equal." in equal


@pytest.mark.slow
def test_the_rows_have_the_order_of_the_paper() -> None:
    page = named("masking").run(Settings())
    ours = {each.what.split(", ")[1]: float(each.ours.split()[0]) for each in page.comparisons}
    assert ours["Reference"] > 2 * ours["Reference-BG"]
    assert ours["BG-only"] > ours["Reference-BG"]
    assert ours["FG-only"] > ours["BG-only"] > ours["Shape"]
