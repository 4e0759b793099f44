"""Loss sampling at the cells of the final layer: which pixels and patches they are, and what a step costs."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite import data, models
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.patchwise import (
    at_centres,
    batch_size,
    cell_sampler,
    centres,
    iterations_to,
    on_cells,
    patches_error,
)
from fcnlite.analysis.paper.table import named
from fcnlite.analysis.paper.training import Training, begin, shipped_trunk, small_net
from fcnlite.analysis.receptive_fields import place
from fcnlite.data import VOID
from fcnlite.errors import SpecError

SHAPES = data.open("shapes", split="train", size=64, count=8)
SPEC = small_net(6, 32)


def test_batches_have_as_many_patches() -> None:
    assert [batch_size(2, keep) for keep in (1.0, 0.5, 0.25, 0.3)] == [2, 4, 8, 7]
    for keep in (0.0, 1.5):
        with pytest.raises(SpecError, match="share of patches"):
            batch_size(2, keep)


def test_a_sampled_step_is_a_step_on_the_kept_patches_alone() -> None:
    assert patches_error(0.4, grid=4) < 1e-12


def test_labels_are_those_at_the_centres_of_the_cells() -> None:
    found = place(models.describe("voc-fcn32s", classes=6), "score_fr").rows
    assert centres(found, 3).tolist() == [13, 45, 77]  # the pad of 100 puts the first centre at 12.5
    label = np.arange(60 * 100, dtype=np.uint16).reshape(1, 1, 60, 100)
    cells = at_centres(label, (found, found), (3, 2))
    assert cells[0, 0].tolist() == [[13 * 100 + 13, 13 * 100 + 45], [45 * 100 + 13, 45 * 100 + 45], [VOID, VOID]]


def test_the_net_without_upsampling_has_a_term_for_each_cell() -> None:
    net = begin(on_cells(SPEC), SHAPES, shipped_trunk())
    label = np.asarray(SHAPES[0].label)[None, None]
    whole = cell_sampler(net, 1.0)(label, np.random.default_rng(0))
    assert whole.tolist() == label[:, :, 16::32, 16::32].tolist()
    pictures = np.zeros((1, 3, 64, 64), np.float32)
    net.forward(data=pictures, label=whole, keep=True)
    assert net.blobs["score_fr"].shape == (1, 6, 2, 2)
    assert net.loss == pytest.approx(np.log(6), rel=1e-5)
    half = cell_sampler(net, 0.5)(np.zeros((400, 1, 64, 64), np.uint8), np.random.default_rng(0))
    assert np.mean(half == 0) == pytest.approx(0.5, abs=0.05)
    with pytest.raises(SpecError, match="no blob 'score_fr'"):
        on_cells(models.describe("lenet"))


def test_the_iterations_to_a_loss() -> None:
    training = Training((4.0, 3.0, 1.0, 0.5), (1.0, 2.0, 3.0, 4.0), (1, 2, 3, 4))
    assert [iterations_to(training, level) for level in (4.0, 1.0, 0.1)] == [1, 3, 4]


@pytest.mark.slow
def test_the_page_compares_the_shares() -> None:
    page = named("patchwise").run(Settings(train_set=SHAPES, val_set=SHAPES, iterations=2))
    assert len(page.comparisons) == 5
    assert "100 %, shifted" in page.html() and "25 %" in page.html()
    with pytest.raises(SpecError, match="give --init FILE too"):
        named("patchwise").run(Settings(model="voc-fcn16s"))


@pytest.mark.slow
def test_sampling_costs_time_and_does_not_change_the_convergence_by_iteration() -> None:
    page = named("patchwise").run(Settings(iterations=40))
    half, quarter = (float(each.ours.split()[0]) for each in page.comparisons if each.what.startswith("time"))
    assert 1.2 < half < quarter
    losses = [each for each in page.comparisons if each.what.startswith("mean loss")]
    assert all(abs(float(each.ours.split()[0])) < 0.1 for each in losses)
