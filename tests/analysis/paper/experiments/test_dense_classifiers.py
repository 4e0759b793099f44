"""Table 1, and grids of outputs against patches."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite import models
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.experiments import dense_classifiers
from fcnlite.analysis.paper.experiments.dense_classifiers import PAPER, depth, fill_page, parameters, patches_of, work
from fcnlite.analysis.paper.experiments.shift import convolutional
from fcnlite.analysis.paper.page import Page


@pytest.mark.parametrize("paper", PAPER, ids=lambda paper: paper.name)
def test_parameters_and_layers_are_those_of_table_1(paper: dense_classifiers.Paper) -> None:
    spec = models.describe(paper.fcn)
    assert round(parameters(spec) / 1e6) == paper.parameters
    assert depth(spec, "score_fr") == paper.layers


def test_the_factor_grows_with_the_picture() -> None:
    found = [work(models.describe("alexnet"), "fc8", size) for size in (227, 259, 500)]
    assert [each.grid for each in found] == [1, 2, 10]
    assert found[0].factor == 1 < found[1].factor < found[2].factor


def test_the_grid_has_the_values_of_the_patches() -> None:
    net = convolutional("lenet", 0.5, 0)
    picture = np.random.default_rng(0).normal(size=(1, 1, 36, 36)).astype(np.float32)
    grid = net.forward(data=picture, outputs=["ip2"])["ip2"]
    patches = net.forward(data=patches_of(picture, 3, 28, 4), outputs=["ip2"])["ip2"]
    np.testing.assert_allclose(grid[0].reshape(10, 9).T, patches[:, :, 0, 0], rtol=1e-4, atol=1e-4)
    assert patches_of(picture, 4, 28, 4).shape == (16, 1, 28, 28)


@pytest.mark.slow
def test_the_page_has_a_row_for_each_net(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dense_classifiers, "SIZES", (227, 259, 611))
    page = Page("dense-classifiers", "3.1", "")
    fill_page(Settings(), page, 1 / 32)
    assert {each.what.split(":")[0] for each in page.comparisons} >= {"AlexNet", "VGG-16", "GoogLeNet"}
    assert "Pictures above 500×500 pixels are not timed." in page.html()
