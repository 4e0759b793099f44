"""The summed and the normalised loss make equal updates at rates that differ by the number of pixels."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite import data, models
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.loss_normalisation import Case, counted, difference, normalised_rate, steps
from fcnlite.analysis.paper.table import named
from fcnlite.analysis.paper.training import Training
from fcnlite.data import VOID

SHAPES = data.open("shapes", split="train", size=32, count=4)
SUMMED, NORMALISED = (
    models.describe("voc-fcn32s", classes=6, width=1 / 32, normalization=each) for each in ("BATCH_SIZE", "VALID")
)
PIXELS = int(counted([np.asarray(SHAPES[0].label)]))
RATE = 1e-5


def test_updates_are_equal_if_the_rate_is_divided_by_the_count() -> None:
    normalised = steps(NORMALISED, SHAPES, 3, base_lr=RATE)
    assert difference(normalised, steps(SUMMED, SHAPES, 3, base_lr=RATE / PIXELS)) < 1e-4
    assert difference(normalised, steps(SUMMED, SHAPES, 3, base_lr=RATE / PIXELS / 2)) > 0.1


def test_weight_decay_is_multiplied_by_the_count() -> None:
    normalised = steps(NORMALISED, SHAPES, 3, base_lr=RATE, weight_decay=5.0)
    same = steps(SUMMED, SHAPES, 3, base_lr=RATE / PIXELS, weight_decay=5.0 * PIXELS)
    other = steps(SUMMED, SHAPES, 3, base_lr=RATE / PIXELS, weight_decay=5.0)
    assert difference(normalised, same) < 1e-3 < difference(normalised, other)


def test_void_pixels_do_not_count() -> None:
    assert counted([np.array([[0, VOID], [1, 2]], np.uint8), np.array([[VOID, VOID]], np.uint8)]) == 1.5
    assert normalised_rate(1e-10, 500 * 500) == pytest.approx(2.5e-5)


def test_the_outcome_of_a_training_in_words() -> None:
    def case(*losses: float, pixels: float = 1.0, diverged: bool = False) -> Case:
        return Case("", 1e-10, pixels, Training(losses, (0.0,) * len(losses), (1,) * len(losses), diverged))

    start = float(np.log(6))
    assert case(start, start - 1e-3).verdict(start) == "learns nothing: the loss does not move"
    assert case(1792.0, 900.0, pixels=1000).verdict(start) == "learns"
    assert case(1792.0, 900.0, pixels=1000).at_end() == "0.900"
    assert case(start, diverged=True).verdict(start) == "diverges after 1 iterations"


@pytest.mark.slow
def test_the_reference_rate_suits_the_sum_alone() -> None:
    page = named("loss-normalisation").run(Settings(iterations=20))
    assert float(page.comparisons[1].ours) < 1e-3
    found = [" ".join(each.note.split()[:2]) for each in page.comparisons[2:]]
    assert found == ["learns", "diverges after", "learns nothing:", "learns"]
