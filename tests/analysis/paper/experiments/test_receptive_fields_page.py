"""The page of receptive fields: predicted ones are measured, and the nets' own are subsets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fcnlite import models
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.experiments import receptive_fields
from fcnlite.analysis.paper.page import Picture
from fcnlite.analysis.paper.table import named
from fcnlite.analysis.paper.tools.datasets import scene
from fcnlite.errors import ShapeError, SpecError, UnknownNameError


def test_predicted_fields_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receptive_fields, "CASES", (("lenet", "pool2"),))
    page = named("receptive-fields").run(Settings())
    assert [each.ours for each in page.comparisons] == ["6 of 6", "6 of 6"]
    shapes = [part.pixels.shape for part in page.parts if isinstance(part, Picture)]
    assert shapes[:-1] == [(64, 64, 3), (192, 192, 3), (192, 192, 3)]


def test_the_spread_of_a_uniform_gradient_and_of_a_single_pixel() -> None:
    mask = np.zeros((60, 60), bool)
    mask[10:50, 5:55] = True
    assert receptive_fields.Field(mask, mask, mask * 1.0).spread == pytest.approx(receptive_fields.UNIFORM, rel=1e-3)
    one = np.zeros((60, 60))
    one[30, 30] = 2.0
    found = receptive_fields.Field(mask, mask, one)
    assert found.spread == 0 and found.core == 1 / mask.sum() and found.inside
    assert not receptive_fields.Field(mask, mask, np.zeros((60, 60))).inside  # nothing reached shows nothing


def test_the_picture_shows_both_fields() -> None:
    mask = np.zeros((20, 20), bool)
    mask[4:16, 4:16] = True
    heat = np.zeros((20, 20))
    heat[10, 10] = 1.0
    pixels = receptive_fields.drawn(np.full((20, 20, 3), 200, np.uint8), receptive_fields.Field(mask, mask, heat))
    assert pixels[10, 10].tolist() == [255, 170, 40]
    assert pixels[4, 8].tolist() == [230, 60, 40]
    assert pixels[0, 0, 0] < pixels[8, 8, 0] < 200


def test_scores_that_are_zero_are_filled() -> None:
    net = models.build("lite-fcn8s", width=1 / 64)
    _, picture = scene(96, 3, 0)
    assert not receptive_fields.field(net, "score", (50, 50), picture).inside
    assert receptive_fields.fill_zeros(net, "score", picture) == ["score_fr", "score_pool4", "score_pool3"]
    assert receptive_fields.field(net, "score", (50, 50), picture).share > 0.1
    assert receptive_fields.fill_zeros(net, "score", picture) == []


def test_a_model_and_a_blob_can_be_given(tmp_path: Path) -> None:
    models.build("lite-fcn8s", width=1 / 64).save(tmp_path / "net.h5")
    page = named("receptive-fields").run(Settings(model=str(tmp_path / "net.h5"), blob="score_pool3"))
    assert [each.ours for each in page.comparisons] == ["2 of 2", "2 of 2"]
    assert "The weights of score_pool3" in page.html() and "lite-fcn8s, score_pool3" in page.html()


def test_blobs_without_a_field_are_errors(tmp_path: Path) -> None:
    run = named("receptive-fields").run
    with pytest.raises(ShapeError, match=r"'ip1' has no place.*the last blob with a place is 'pool2'"):
        run(Settings(model="lenet", blob="ip1"))
    with pytest.raises(UnknownNameError, match=r"'pol2'.*'pool2'"):
        run(Settings(model="lenet", blob="pol2"))
    with pytest.raises(SpecError, match=r"no model is called 'lenett'.*'lenet'"):
        run(Settings(model="lenett"))
    with pytest.raises(SpecError, match="--blob has no effect without --model"):
        run(Settings(blob="pool2"))
