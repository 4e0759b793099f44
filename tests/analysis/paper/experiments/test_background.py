"""Targets, scores and losses without a class for the background."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from fcnlite import data, models
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.experiments import background
from fcnlite.analysis.paper.experiments.background import (
    CONTROL,
    IGNORED,
    NULL,
    SOFTMAX,
    biases,
    described,
    labels_for,
    targets,
)
from fcnlite.analysis.paper.table import named
from fcnlite.analysis.paper.tools.datasets import Derived, shares
from fcnlite.analysis.paper.tools.small_nets import COARSEST, shallow_fcn
from fcnlite.analysis.paper.tools.training import begin
from fcnlite.data import VOID
from fcnlite.description.model_info import Labels
from fcnlite.errors import DataError
from fcnlite.net import Net
from fcnlite.segmentation.segmenter import Segmenter


def test_background_has_no_target_of_its_own() -> None:
    label = np.array([[[[0, 1, 2, VOID]]]], np.uint8)
    assert targets(label, 3, null=True)[0, :, 0].tolist() == [[0, 1, 0, VOID], [0, 0, 1, VOID]]
    assert targets(label, 3, null=False)[0, 0, 0].tolist() == [1, 0, 0, VOID]


def test_an_ignored_background_is_void_and_leaves_the_net_as_it_is() -> None:
    label = np.array([[[[0, 1, VOID]]]], np.uint8)
    rng = np.random.default_rng(0)
    assert labels_for(IGNORED, 3, label, rng).ravel().tolist() == [VOID, 1, VOID]
    assert labels_for(SOFTMAX, 3, label, rng) is label
    assert described(IGNORED, 6, shallow_fcn) == described(SOFTMAX, 6, shallow_fcn)


def test_a_pixel_without_a_positive_score_is_background() -> None:
    net = begin(described(NULL, 6, shallow_fcn), data.open("shapes", split="train", size=32))
    bias = net.params[COARSEST][1]
    segmenter = Segmenter(net.share("TEST"))
    picture = np.zeros((32, 32, 3), np.uint8)
    for values, expected in (([-1, -2, -3, -4, -5], 0), ([-1, 2, 1, -4, -5], 2)):
        bias.data = np.array(values, np.float32)
        assert (segmenter(picture) == expected).all()


@pytest.mark.parametrize(("way", "scores"), [(NULL, 5), (CONTROL, 6)])
def test_the_loss_of_zero_scores_is_log_2_a_score(way: str, scores: int) -> None:
    label = np.array([[0, VOID], [3, 5]], np.uint8).repeat(8, axis=0).repeat(8, axis=1)[None, None]
    for describe, expected in ((shallow_fcn, 1), (partial(models.describe, "voc-fcn32s", width=1 / 64), 3 * 64)):
        net = Net(described(way, 6, lambda count, describe=describe: describe(classes=count)), phase="TRAIN")
        models.initialize(net)
        net.forward(data=np.zeros((1, 3, 16, 16), np.float32), label=targets(label, 6, way == NULL), keep=True)
        assert net.loss == pytest.approx(scores * expected * np.log(2), rel=1e-5)


def test_scores_begin_at_the_shares_of_the_classes() -> None:
    shapes = data.open("shapes", split="train", size=32, count=20)
    found = shares(shapes)
    np.testing.assert_allclose(np.exp(biases(SOFTMAX, shapes)), found, rtol=1e-5)
    np.testing.assert_allclose(1 / (1 + np.exp(-biases(CONTROL, shapes))), found, rtol=1e-5)
    np.testing.assert_array_equal(biases(NULL, shapes), biases(CONTROL, shapes)[1:])


def test_a_short_run_fills_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "_PICTURES", (8, 4))
    page = named("background").run(Settings(iterations=1))
    assert [each.paper for each in page.comparisons] == ["reported −1"] * 2 + ["reported below 0.1 %"]


def test_a_data_set_without_background_is_an_error() -> None:
    shapes = data.open("shapes", split="train", size=32, count=1)
    labels = {"label": Labels(("sky", *shapes.classes[1:]), shapes.colors)}
    dataset = Derived(shapes, lambda sample, index: sample, labels=labels)
    for name in ("background", "masking"):
        with pytest.raises(DataError, match=rf"no background: its first class is 'sky', and {name} needs"):
            named(name).run(Settings(train_set=dataset, val_set=dataset))


@pytest.mark.slow
def test_a_null_background_costs_little_if_scores_begin_at_the_shares() -> None:
    page = named("background").run(Settings())
    gain, gain_on_control, _ = (float(each.ours.split()[0]) for each in page.comparisons)
    assert gain > -3 and gain_on_control > -3
