"""Pictures fed otherwise than the weights expect."""

from __future__ import annotations

from typing import Any

import pytest

from fcnlite import models
from fcnlite.doctor import preprocessing
from fcnlite.net import Net
from fcnlite.spec import ModelInfo, Preprocessing
from tests.doctor.nets import healthy

CAFFE = (104.00699, 116.66877, 122.67892)


def found(model: str = "voc-fcn32s", **fields: Any) -> list[tuple[str, str, str]]:
    net = Net(models.describe(model, width=0.02), info=ModelInfo(Preprocessing(**fields)))
    return [(each.severity, each.id, each.what) for each in preprocessing.check(net)]


@pytest.mark.parametrize("model", ["voc-fcn32s", "vgg16", "alexnet", "caffenet", "voc-fcn-alexnet", "googlenet"])
def test_caffes_own_is_right_for_caffes_trunks(model: str) -> None:
    assert found(model) == []


def test_a_data_sets_own_mean_is_passed_over() -> None:
    assert found(mean=(116.190, 97.203, 92.318)) == []  # the reference's NYUDv2 nets


def test_rgb_is_told() -> None:
    ((severity, name, what),) = found("alexnet", color="RGB", mean=CAFFE[::-1])
    assert (severity, name) == ("warning", "input-colors")
    assert "AlexNet" in what and "(conv1)" in what


@pytest.mark.parametrize(
    ("mean", "words"),
    [
        ((0.0, 0.0, 0.0), "no mean is subtracted"),
        (CAFFE[::-1], "red and blue are exchanged"),
        ((0.406, 0.456, 0.485), "of pictures from 0 to 1"),
        ((104.0, 117.0, 200.0), "far from the mean of photographs"),
    ],
)
def test_a_wrong_mean_is_told_with_what_is_wrong(mean: tuple[float, ...], words: str) -> None:
    ((severity, name, what),) = found(mean=mean)
    assert (severity, name) == ("warning", "input-mean")
    assert words in what and "104, 117, 123" in what


def test_the_mean_of_rgb_is_compared_in_its_order() -> None:
    names = [name for _, name, _ in found(color="RGB", mean=CAFFE)]
    assert names == ["input-colors", "input-mean"]


@pytest.mark.parametrize("scale", [1 / 255, 0.0])
def test_a_small_scale_is_told(scale: float) -> None:
    ((severity, name, what),) = found(scale=scale)
    assert (severity, name) == ("warning", "input-scale")
    assert ("255 times too small" if scale else "all zero") in what


def test_nets_of_no_known_trunk_are_their_makers_affair() -> None:
    anything = ModelInfo(Preprocessing("RGB", (0.0, 0.0, 0.0), 1 / 255))
    net = healthy()
    net.info = anything
    assert preprocessing.check(net) == []
    lite = models.build("lite-fcn8s", width=0.02)  # has a conv1_1, but BatchNorm behind it
    lite.info = anything
    assert preprocessing.check(lite) == []
