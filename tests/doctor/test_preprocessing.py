"""Preprocessing that does not match the weights."""

from __future__ import annotations

from typing import Any

import pytest

from fcnlite import caffe, models, surgery
from fcnlite.description.fillers import Filler
from fcnlite.description.model_info import ModelInfo, Preprocessing
from fcnlite.doctor import preprocessing
from fcnlite.doctor.batches import sample_batches
from fcnlite.net import Net
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
        ((0.406, 0.456, 0.485), "a mean of values from 0 to 1"),
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
    lite = models.build("lite-fcn8s", width=0.02)  # has a conv1_1, but BatchNorm after it
    lite.info = anything
    assert preprocessing.check(lite) == []


# Nets that centre their input themselves, and the range that weights expect


def centring(layer: str, arrays: list[list[float]], **info: Any) -> list[str]:
    text = f"""input: "data" input_dim: 1 input_dim: 3 input_dim: 9 input_dim: 9
    layer {{ name: "centre" bottom: "data" top: "centred" {layer} }}
    layer {{ name: "score" type: "Convolution" bottom: "centred" top: "score"
             convolution_param {{ num_output: 2 kernel_size: 1 }} }}"""
    net = Net(caffe.parse_net(text), info=ModelInfo(Preprocessing(**info)))
    for parameter, values in zip(net.params.get("centre", ()), arrays, strict=True):
        parameter.data[...] = values
    return [each.id for each in preprocessing.check(net)]


@pytest.mark.parametrize(
    ("layer", "arrays"),
    [
        ('type: "Power" power_param { shift: -116 }', []),
        ('type: "Power" power_param { scale: 0.01 shift: -1.16 }', []),
        ('type: "BatchNorm"', [[2080, 2340, 2460], [1e5] * 3, [20]]),
        ('type: "Bias"', [[-104, -117, -123]]),
        ('type: "Scale" scale_param { bias_term: true }', [[0.01] * 3, [-1.04, -1.17, -1.23]]),
    ],
)
def test_a_mean_before_a_layer_that_centres_is_told(layer: str, arrays: list[list[float]]) -> None:
    assert centring(layer, arrays) == ["input-centred-twice"]
    assert centring(layer, arrays, mean=(0.0, 0.0, 0.0)) == []
    assert centring(layer, arrays, source="layer 'data': mean_value") == []  # the file asks for both


def test_a_batch_norm_that_learned_centred_pictures_is_not() -> None:
    assert centring('type: "BatchNorm"', [[20, -10, 0], [1e5] * 3, [20]]) == []


@pytest.mark.parametrize(("scale", "found"), [(1.0, []), (1 / 255, ["input-range"]), (255.0, ["input-range"])])
def test_a_batch_norm_tells_the_range_of_the_input(scale: float, found: list[str]) -> None:
    net = models.build("lite-fcn8s", classes=3, width=0.05, phase="TRAIN")
    net.forward(sample_batches(net, None)[0].pictures, keep=True)  # BatchNorm's statistics, in the TRAIN phase
    net.info = ModelInfo(Preprocessing(scale=scale))
    predicting = net.share("TEST")
    assert [each.id for each in preprocessing.check_range(predicting, sample_batches(predicting, None))] == found


def test_a_bias_that_drowns_the_picture_and_scores_beyond_reason_are_told() -> None:
    net = Net(models.describe("voc-fcn32s", width=0.02, classes=3), seed=1)
    surgery.fill(net, ["conv1_1"], Filler("msra"))
    tried = sample_batches(net, None)
    assert preprocessing.check_range(net, tried) == []
    net.params["conv1_1"][1].data[...] = 1e5
    (finding,) = preprocessing.check_range(net, tried)
    assert finding.id == "input-range" and "the bias of conv1_1" in finding.what
    net.params["conv1_1"][1].data[...] = 0
    for name in ("score_fr", "upscore"):
        net.params[name][0].data[...] = 1
    net.params["score_fr"][1].data[...] = [0, 0, 1e5]
    surgery.interp(net)
    (finding,) = preprocessing.check_range(net, tried)
    assert finding.id == "input-range" and "the scores 'score'" in finding.what
