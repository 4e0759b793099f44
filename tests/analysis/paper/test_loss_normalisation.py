"""The summed and the normalised loss make equal updates at rates that differ by the number of pixels."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite import data, models
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.loss_normalisation import counted, difference, normalised_rate, steps
from fcnlite.analysis.paper.table import named
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


@pytest.mark.slow
def test_the_page_has_both_losses_at_each_rate() -> None:
    page = named("loss-normalisation").run(Settings(train_set=SHAPES, iterations=2))
    assert [each.paper for each in page.comparisons] == ["1e-10", ""]
    assert float(page.comparisons[1].ours) < 1e-3
