"""Skips: streams alone, nets that begin as the coarser net, streams of equal size, and the table of the page."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fcnlite import data, models
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.experiments.skips import ALONE, Trainings, alone, reference, sizes, small
from fcnlite.analysis.paper.table import named
from fcnlite.analysis.paper.tools.nets import weights_of
from fcnlite.analysis.paper.tools.small_nets import plain_skips, small_fcn
from fcnlite.analysis.paper.tools.training import begin
from fcnlite.errors import SpecError
from fcnlite.net import Net

SHAPES = data.open("shapes", split="train", size=64, count=3)
PICTURE = np.random.default_rng(0).normal(0, 50, (1, 3, 64, 64)).astype(np.float32)


def test_plain_skips_score_the_pooled_maps() -> None:
    spec = plain_skips(models.describe("lite-fcn8s", classes=6, width=1 / 16))
    bottoms = {layer.name: layer.bottom for layer in spec if layer.name.startswith("score_pool")}
    assert bottoms == {"score_pool4": ("pool4",), "score_pool3": ("pool3",)}
    assert not any("skip" in layer.name for layer in spec)


@pytest.mark.parametrize("describe", [small(SHAPES).describe, reference("none").describe], ids=["small", "reference"])
@pytest.mark.parametrize("pool", ALONE)
def test_a_stream_alone_scores_its_map_and_nothing_above(pool: str, describe) -> None:  # type: ignore[no-untyped-def]
    spec = alone(describe(32, 6, False), pool, 6)
    assert [layer.name for layer in spec if layer.type == "Pooling"][-1] == pool
    assert not any(layer.name.startswith(("fc", "conv6")) for layer in spec)
    stride = {"pool5": 32, "pool4": 16, "pool3": 8}[pool]
    (up,) = (layer for layer in spec if layer.type == "Deconvolution")
    assert up.options["stride"] == [stride]


def test_the_scores_of_a_stream_alone_are_those_of_its_skip() -> None:
    """Scores of pool4 alone, upsampled, are what FCN-16s adds for it."""
    family = small(SHAPES)
    whole = begin(family.describe(16, 6, False), SHAPES, family.start).share("TEST")
    single = begin(alone(family.describe(32, 6, False), "pool4", 6), SHAPES, family.start).share("TEST")
    for net in (whole, single):
        net.params["score_pool4"][0].data[:] = np.random.default_rng(1).normal(size=(6, 64, 1, 1))
    expected, found = (net.forward(data=PICTURE)["score"] for net in (whole, single))
    inner = (slice(None), slice(None), slice(16, 48), slice(16, 48))
    np.testing.assert_allclose(found[inner], expected[inner], rtol=1e-4, atol=1e-4)


def test_a_map_that_the_net_lacks_is_an_error() -> None:
    with pytest.raises(SpecError, match="no pool6; its pooled maps: pool1, pool2, pool3, pool4, pool5"):
        alone(small_fcn(6, 32), "pool6", 6)


def test_a_skip_begins_with_the_scores_of_the_coarser_net() -> None:
    coarse = Trainings(replace(small(SHAPES), iterations=4), SHAPES).staged("FCN-32s")
    fine = begin(small_fcn(6, 16), SHAPES, weights_of(coarse))
    (expected,) = coarse.share("TEST").forward(data=PICTURE, outputs=["score_fr"]).values()
    found = fine.share("TEST").forward(data=PICTURE, outputs=["score_fr", "score_pool4"])
    np.testing.assert_array_equal(found["score_fr"], expected)
    assert np.any(expected) and not np.any(found["score_pool4"])


def test_at_once_the_streams_have_equal_sizes() -> None:
    family = small(SHAPES)
    net = begin(family.describe(8, 6, True), SHAPES, family.start)
    found = sizes(net, SHAPES)
    assert list(found) == ["conv6", "scale_pool4", "scale_pool3"]
    np.testing.assert_allclose([*found.values()], found["conv6"], rtol=1e-3)


def test_stages_that_begin_alike_are_trained_once(monkeypatch: pytest.MonkeyPatch) -> None:
    trainings = Trainings(replace(small(SHAPES), iterations=4), SHAPES)
    count = 0
    original = trainings._trained

    def counted(*args: object) -> Net:
        nonlocal count
        count += 1
        return original(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(trainings, "_trained", counted)
    for name in trainings.family.stages:
        net = trainings.staged(name)
    assert count == 6, "the first stage serves the three nets, and the second stage of 16s serves 8s"
    assert np.any(net.params["score_pool3"][0].data)


@pytest.mark.slow
def test_skips_raise_mean_iu_and_streams_alone_do_not_reach_it() -> None:
    page = named("skips").run(Settings())
    found = {each.what.removeprefix("mean IU of "): float(each.ours.split()[0]) for each in page.comparisons}
    assert found["FCN-32s"] < found["FCN-16s"] < found["FCN-8s"]
    assert found["FCN-32s"] < found["FCN-8s at once"] < found["FCN-8s"]
    assert found["pool3 alone"] < found["pool4 alone"] < found["FCN-16s"]
    assert len(page.comparisons) == 9
