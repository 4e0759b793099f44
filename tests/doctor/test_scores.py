"""Scores that are equal for all classes, or predict one class everywhere."""

from __future__ import annotations

import numpy as np

from fcnlite import data
from fcnlite.description.model_info import ModelInfo
from fcnlite.doctor import Finding, scores
from fcnlite.doctor.batches import sample_batches
from fcnlite.net import Net
from tests.doctor.nets import CLASSES, LabelledPictures, healthy, severities, small_fcn

SHAPES = data.open("shapes", count=2, size=64)


def found(net: Net, dataset: data.Dataset | None = SHAPES) -> list[Finding]:
    return scores.check(net.share("TEST"), sample_batches(net, dataset, labelled=True))


def one_class() -> Net:
    net = healthy()
    for name in ("score_fr", "score_pool1"):
        net.params[name][0].data *= 1e-3
    net.params["score_fr"][1].data[4] = 100
    return net


def test_scores_that_differ_are_passed_over() -> None:
    assert found(healthy()) == []
    assert found(healthy(), None) == []


def test_zero_upsampling_is_named() -> None:
    net = healthy()
    net.params["upscore"][0].data[...] = 0
    (finding,) = found(net)
    assert (finding.severity, finding.id) == ("error", "scores-zero")
    assert "the upsampling is zero (upscore)" in finding.what and "'shapes-train-00000'" in finding.what


def test_score_layers_at_zero_are_how_an_fcn_starts() -> None:
    net = healthy()
    for name in ("score_fr", "score_pool1"):
        net.params[name][0].data[...] = 0
    (finding,) = found(net)
    assert (finding.severity, finding.id) == ("note", "scores-zero")
    assert "score_fr" in finding.what and "score_pool1" in finding.what


def test_features_that_die_are_told() -> None:
    net = healthy()
    net.params["conv1"][0].data[...] = 0
    (finding,) = found(net)
    assert (finding.severity, finding.id) == ("error", "scores-zero")
    assert "the features before them are dead" in finding.what


def test_one_class_everywhere_is_named() -> None:
    net = one_class()
    net.info = ModelInfo(classes=("a", "b", "c", "d", "e", "f"))
    (finding,) = found(net)
    assert (finding.severity, finding.id) == ("warning", "scores-one-class")
    assert " is e, although" in finding.what


def test_one_class_of_noise_is_a_note() -> None:
    assert severities(found(one_class(), None)) == [("note", "scores-one-class")]


def test_one_class_is_right_where_the_labels_have_one() -> None:
    assert found(one_class(), LabelledPictures([np.full((64, 64), 4)], CLASSES)) == []


def test_a_deploy_net_is_tried_before_its_softmax() -> None:
    spec = small_fcn()
    layers = tuple(each for each in spec if each.type != "SoftmaxWithLoss" and each.name != "label")
    net = Net(type(spec)(layers=layers))
    assert severities(found(net)) == [("error", "scores-zero")]
