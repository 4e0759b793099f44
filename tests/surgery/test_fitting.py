"""Descriptions fitted to the channel counts of weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fcnlite import models, surgery
from fcnlite.description.shapes import placements
from fcnlite.description.spec import NetSpec
from fcnlite.errors import ShapeError
from fcnlite.layers import links
from fcnlite.net import Net

Shapes = dict[str, list[tuple[int, ...]]]


def shapes_of(spec: NetSpec) -> Shapes:
    return {name: [each.shape for each in parameters] for name, parameters in Net(spec, phase="TRAIN").params.items()}


def zeros(shapes: Shapes) -> dict[str, list[np.ndarray]]:
    return {name: [np.zeros(shape) for shape in each] for name, each in shapes.items()}


def vgg(**shapes: tuple[int, ...]) -> dict[str, list[np.ndarray]]:
    """A narrow VGG-16, with other shapes for the layers given."""
    found = shapes_of(models.describe("vgg16", classes=7, width=1 / 32))
    return zeros({**found, **{name: [shape, shape[:1]] for name, shape in shapes.items()}})


@pytest.mark.parametrize("name", ["alexnet", "caffenet", "vgg16", "googlenet", "voc-fcn8s", "voc-fcn-alexnet"])
def test_a_description_at_another_width_becomes_that_of_the_weights(name: str) -> None:
    narrow = models.describe(name, classes=5, width=1 / 16)
    wide = models.describe(name, classes=5, width=1 / 8)
    assert surgery.fit(wide, zeros(shapes_of(narrow))) == narrow


def test_nothing_changes_without_weights() -> None:
    spec = models.describe("voc-fcn8s")
    assert surgery.fit(spec, {}) == spec


def test_scores_keep_the_described_classes() -> None:
    five, nine = (models.describe("voc-fcn16s", classes=count, width=1 / 32) for count in (5, 9))
    assert surgery.fit(nine, zeros(shapes_of(five))) == nine


@pytest.mark.parametrize("shape", [(16, 64), (1, 1, 16, 64), (16, 16, 2, 2)])
def test_fc6_takes_the_window_of_the_weights_and_crops_follow(shape: tuple[int, ...]) -> None:
    """Five pixels of pool5 fewer are 32 · 2.5 pixels of the picture at each side."""
    described = models.describe("voc-fcn32s", width=1 / 32)
    spec = surgery.fit(described, vgg(fc6=shape, fc7=(9, 16)))
    assert (spec.layer("fc6").options["kernel_size"], spec.layer("fc6").options["num_output"]) == ([2], 16)
    assert (spec.layer("fc7").options["kernel_size"], spec.layer("fc7").options["num_output"]) == ([1], 9)
    assert described.layer("score").options["offset"] == [19]
    assert spec.layer("score").options["offset"] == [19 + 80]
    net = Net(spec)
    for size in ((1, 1), (50, 70)):
        assert net.forward(data=np.zeros((1, 3, *size)))["score"].shape == (1, 21, *size)


@pytest.mark.parametrize("side", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("name", ["voc-fcn32s", "voc-fcn16s", "voc-fcn8s"])
def test_scores_lie_over_the_picture_whatever_fc6_sees(name: str, side: int) -> None:
    spec = surgery.fit(models.describe(name, width=1 / 64), vgg(fc6=(8, 16 * side * side), fc7=(8, 8)))
    for axis in (0, 1):
        known = placements(links([each for each in spec if each.type != "SoftmaxWithLoss"], axis))
        assert (known["score"][1].stride, known["score"][1].offset) == (1, 0)
        for skip, coarse in (("score_pool4c", "upscore2"), ("score_pool3c", "upscore_pool4")):
            if skip in known:
                assert known[skip][1].offset == known[coarse][1].offset
    net = Net(spec)
    for height in range(1, 66):
        size = (height, 3 * height % 64 + 1)
        assert net.shapes({"data": (1, 3, *size)})[-1][2] == [(1, 21, *size)]


def test_a_classifier_gets_pictures_of_the_size_that_its_weights_see() -> None:
    spec = surgery.fit(models.describe("vgg16", width=1 / 32), vgg(fc6=(16, 64), fc7=(9, 16), fc8=(4, 9)))
    assert spec.layer("data").options["shape"] == [{"dim": [1, 3, 64, 64]}]
    assert spec.layer("label").options["shape"] == [{"dim": [1]}]
    assert [spec.layer(name).options["num_output"] for name in ("fc6", "fc7", "fc8")] == [16, 9, 4]
    assert Net(spec).params["fc6"][0].shape == (16, 64)


def test_an_fcns_weights_fit_the_classifier() -> None:
    weights = zeros(shapes_of(models.describe("voc-fcn32s", width=1 / 32)))
    spec = surgery.fit(models.describe("vgg16", width=1 / 16), weights)
    assert shapes_of(spec)["fc6"][0] == (128, 16 * 49)
    assert shapes_of(spec)["fc7"][0] == (128, 128)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"conv1_1": (2, 3, 5, 5)}, r"'conv1_1'.*2×3×5×5.*N×3×3×3"),
        ({"conv1_1": (2, 1, 3, 3)}, r"'conv1_1'.*2×1×3×3.*N×3×3×3"),
        ({"conv3_1": (8, 5, 3, 3)}, r"'conv3_1'.*8×5×3×3.*N×4×3×3"),
        ({"conv5_3": (15, 16, 3, 3)}, r"'fc6'"),
        ({"conv5_3": (16,)}, r"'conv5_3'.*shape 16,"),
        ({"fc6": (16, 96)}, r"'fc6'.*16×96.*N×16×7×7"),
        ({"fc7": (9, 64)}, r"'fc7'"),
    ],
)
def test_weights_that_contradict_are_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(ShapeError, match=words):
        surgery.fit(models.describe("voc-fcn32s", width=1 / 32), vgg(**changed))


def test_channels_that_do_not_split_into_groups_are_named() -> None:
    with pytest.raises(ShapeError, match=r"'conv2' \(Convolution\).*1 channels.*2 groups"):
        surgery.fit(models.describe("caffenet"), zeros({"conv1": [(1, 3, 11, 11)], "conv2": [(2, 1, 5, 5)]}))
