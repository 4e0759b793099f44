"""Loss sampling: batches with as many patches, and gradients that whole pictures give without sampling."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from fcnlite import data, models
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.patchwise import batch_size, sampled
from fcnlite.analysis.paper.table import named
from fcnlite.analysis.paper.training import begin, train, weights_of
from fcnlite.errors import SpecError

SHAPES = data.open("shapes", split="train", size=32, count=4)
SPEC = models.describe("lite-fcn8s", classes=6, width=1 / 16)


def test_batches_have_as_many_patches() -> None:
    assert [batch_size(2, keep) for keep in (1.0, 0.5, 0.25, 0.3)] == [2, 4, 8, 7]
    for keep in (0.0, 1.5):
        with pytest.raises(SpecError, match="share of patches"):
            batch_size(2, keep)


def test_a_share_of_1_is_training_on_whole_pictures() -> None:
    nets = [begin(SPEC, SHAPES) for _ in range(2)]
    plain = train(nets[0], SHAPES, 2, batch_size=2, base_lr=0.01)
    whole = train(nets[1], SHAPES, 2, batch_size=2, base_lr=0.01, label=partial(sampled, keep=1.0))
    assert plain.losses == whole.losses
    a, b = (weights_of(net) for net in nets)
    for name in a:
        for x, y in zip(a[name], b[name], strict=True):
            np.testing.assert_array_equal(x, y)


def test_the_page_compares_the_shares() -> None:
    page = named("patchwise").run(Settings(train_set=SHAPES, val_set=SHAPES, iterations=2))
    assert len(page.comparisons) == 4
    assert "share" in page.html() and "25 %" in page.html()


@pytest.mark.slow
def test_a_step_costs_more_with_fewer_patches() -> None:
    page = named("patchwise").run(Settings(iterations=20))
    half, quarter = (float(each.ours) for each in page.comparisons if each.what.startswith("time"))
    assert 1.1 < half < quarter
