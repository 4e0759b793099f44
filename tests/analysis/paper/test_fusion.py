"""Made-up depth, and the pictures, nets and weights of early and late fusion."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite import data, models
from fcnlite.analysis.paper import fusion
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.fusion import Way, reference, small, start, view, ways
from fcnlite.analysis.paper.rgbd import CLASSES, RAISED, rgbd_shapes, with_depth
from fcnlite.analysis.paper.table import named
from fcnlite.analysis.paper.training import begin, shipped_trunk
from fcnlite.data import VOID
from fcnlite.errors import DataError
from fcnlite.net import Net
from fcnlite.surgery import add_depth

EARLY = Way("early fusion", ("color", "depth"), 30.5)
LATE = Way("late fusion", ("color", "depth"), 32.8, late=True)
COLOR, DEPTH = (Way("alone", (each,), None) for each in ("color", "depth"))


def test_raised_shapes_are_nearer_and_some_change_their_class() -> None:
    label = np.zeros((64, 64), np.uint8)
    label[10:30, 5:25], label[40:60, 5:25], label[10:30, 40:60], label[34] = 1, 1, 2, VOID
    heights: dict[int, set[bool]] = {1: set(), 2: set(), 6: set()}
    for seed in range(12):
        depth, found = with_depth(label, np.random.default_rng(seed))
        assert depth.dtype == np.uint16 and 0 < np.mean(depth == 0) < 0.2
        assert ((found == VOID) == (label == VOID)).all() and ((found == 0) == (label == 0)).all()
        for top, edge in ((14, 25), (44, 25), (14, 60)):
            inside, outside = (depth[top : top + 12, left : left + 3] for left in (edge - 4, edge + 1))
            (number,) = np.unique(found[top : top + 12, edge - 4 : edge - 1])
            step = np.median(outside[outside > 0]) - np.median(inside[inside > 0])
            heights[number].add(bool(step > 120))
    assert heights == {1: {False}, 6: {True}, 2: {False, True}}
    assert set(RAISED.values()) == {6, 7} and len(CLASSES) == 8


def test_late_fusion_is_the_mean_of_the_scores_of_two_nets() -> None:
    net = Net(small(LATE, 4))
    models.initialize(net)
    for name in ("score_pool3color", "score_pool3depth"):
        weight = net.params[name][0]
        weight.data = np.random.default_rng(1).standard_normal(weight.shape).astype(np.float32)
    rng = np.random.default_rng(0)
    blobs = {"color": rng.standard_normal((1, 3, 16, 16)), "depth": rng.standard_normal((1, 1, 16, 16))}
    found = net.forward(blobs, outputs=["score", "scorecolor", "scoredepth"])
    np.testing.assert_allclose(found["score"], (found["scorecolor"] + found["scoredepth"]) / 2, atol=1e-5)
    assert np.ptp(found["scoredepth"]) > 0


def test_nets_start_from_a_trunk_of_colour() -> None:
    trunk = shipped_trunk()
    weight = np.asarray(trunk["conv1_1"][0])
    dataset = rgbd_shapes("train", 32, 1)
    expected = {
        COLOR: {"conv1_1": weight},
        DEPTH: {"conv1_1": weight.sum(axis=1, keepdims=True)},
        EARLY: {"conv1_1": add_depth(weight)},
        LATE: {"conv1_1color": weight, "conv1_1depth": weight.sum(axis=1, keepdims=True)},
    }
    for way, layers in expected.items():
        net = begin(small(way, 8), view(dataset, way), start(way, trunk))
        for name, values in layers.items():
            np.testing.assert_array_equal(net.params[name][0].data, values)
        last = net.params["conv3_3depth" if way is LATE else "conv3_3"][0].data
        np.testing.assert_array_equal(last, trunk["conv3_3"][0])


def test_reference_nets_take_the_pictures_of_a_way() -> None:
    assert reference(EARLY, 40) == models.describe("nyud-fcn32s-color-d")
    hha = reference(Way("late", ("color", "hha"), 32.8, late=True), 40)
    assert hha.layers == models.describe("nyud-fcn32s-color-hha").layers
    assert [way.pictures for way in ways(("color", "depth", "hha"))] == [
        ("color",), ("depth",), ("hha",), ("color", "depth"), ("color", "depth"), ("color", "depth"), ("color", "hha")
    ]  # fmt: skip
    with pytest.raises(DataError, match=r"fusion needs colour and depth.*for data; use nyud"):
        ways(("data",))


def test_depth_is_scaled_to_the_size_of_colours() -> None:
    dataset = rgbd_shapes("train", 32, 1)
    assert view(dataset, DEPTH).preprocessing.scale == fusion.DEPTH_SCALE
    assert view(dataset, LATE).preprocessing.of("depth").scale == fusion.DEPTH_SCALE
    assert view(dataset, Way("early", ("color", "depth"), None, scaled=False)).preprocessing.of("depth").scale == 1
    assert view(dataset, COLOR).preprocessing == data.open("shapes", split="train").preprocessing


def test_a_short_run_fills_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fusion, "_PICTURES", (8, 4))
    monkeypatch.setattr(fusion, "_SEEDS", 1)
    page = named("fusion").run(Settings(iterations=1))
    assert [each.paper for each in page.comparisons] == ["29.2", "", "30.5", "", ""]
