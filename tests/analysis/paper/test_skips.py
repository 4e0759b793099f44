"""Skips: streams alone, nets that begin as the coarser net, and the table of the page."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fcnlite import data, models
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Table
from fcnlite.analysis.paper.skips import alone, norms, plain_skips, small, trained
from fcnlite.analysis.paper.table import named
from fcnlite.analysis.paper.training import METRICS, begin
from fcnlite.errors import SpecError

SHAPES = data.open("shapes", split="train", size=32, count=3)
PICTURE = np.random.default_rng(0).normal(0, 50, (1, 3, 32, 32)).astype(np.float32)


def test_plain_skips_score_the_pooled_maps() -> None:
    spec = plain_skips(models.describe("lite-fcn8s", classes=6, width=1 / 16))
    bottoms = {layer.name: layer.bottom for layer in spec if layer.name.startswith("score_pool")}
    assert bottoms == {"score_pool4": ("pool4",), "score_pool3": ("pool3",)}
    assert not any("skip" in layer.name for layer in spec)


def test_a_stream_alone_does_not_depend_on_coarser_scores() -> None:
    net = begin(alone(small().describe(16, 6, False), "pool4"), SHAPES, small().start).share("TEST")
    net.params["score_pool4"][0].data[:] = 0.1
    before = net.forward(data=PICTURE)["score"]
    net.params["score_fr"][0].data[:] = 1
    np.testing.assert_array_equal(net.forward(data=PICTURE)["score"], before)
    assert np.ptp(before) > 0


def test_a_net_without_the_skip_is_an_error() -> None:
    with pytest.raises(SpecError, match="no skip from pool3; its skips: pool4"):
        alone(small().describe(16, 6, False), "pool3")


def test_stages_share_the_budget_and_norms_have_each_stream() -> None:
    net = trained(replace(small(), iterations=3), SHAPES, (32, 16, 8))
    assert list(norms(net, PICTURE)) == ["conv6", "pool4", "pool3"]
    assert np.any(net.params["score_pool3"][0].data)


@pytest.mark.slow
def test_skips_raise_mean_iu() -> None:
    page = named("skips").run(Settings(iterations=60))
    table = next(part for part in page.parts if isinstance(part, Table))
    found = {row[0]: float(row[1 + METRICS.index("mean IU")]) for row in table.rows}
    assert found["FCN-32s"] < found["FCN-8s at once"]
    assert len(page.comparisons) == 6
