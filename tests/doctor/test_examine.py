"""All checks together."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pytest

from fcnlite import data, doctor, models
from fcnlite.doctor.finding import Finding, by_severity, listed
from fcnlite.models.builder import Builder
from fcnlite.net import Net
from fcnlite.solver import SGD
from tests.doctor.nets import LabelledPictures, changed, healthy, net_of, severities, small_fcn

SHAPES = data.open("shapes", count=8, size=64)


def solver(net: Net, base_lr: float = 1e-3) -> SGD:
    return SGD(net, base_lr=base_lr, momentum=0.9)


def test_of_a_healthy_net_nothing_is_said() -> None:
    net = healthy()
    assert doctor.examine(net) == []
    assert doctor.examine(net, SHAPES, solver(net)) == []
    assert doctor.examine(net.share("TEST"), SHAPES) == []


def test_errors_come_first_and_causes_before_effects() -> None:
    net = net_of(changed(small_fcn(), "score", offset=[0]))
    net.params["upscore"][0].data[...] = 0
    found = doctor.examine(net, SHAPES, solver(net, 1e-12))
    assert severities(found) == [
        ("error", "upsampling-zero"),
        ("error", "crop-misaligned"),
        ("error", "scores-zero"),
        ("error", "no-gradient"),
        ("warning", "rate-too-low"),
    ]


def test_a_stuck_loss_is_found_in_a_log_or_by_training() -> None:
    net = healthy()
    net.params["upscore"][0].data[...] = 0
    ids = [each.id for each in doctor.examine(net, losses=[np.log(6)] * 200)]
    assert "loss-at-ln-classes" in ids
    said: list[str] = []
    found = doctor.examine(net, SHAPES, solver(net), iterations=20, tell=said.append)
    assert "loss-at-ln-classes" in [each.id for each in found]
    assert said == ["reading labels", "running the net", "training for 20 iterations"]


def test_a_training_that_diverges_is_told() -> None:
    net = healthy()
    found = doctor.examine(net, SHAPES, solver(net, 1e30), iterations=20)
    assert ("error", "training-fails") in severities(found)


def test_pictures_that_do_not_fit_are_told_and_not_tried() -> None:
    net = Builder("unpadded")
    net.pool("pool1", net.convolution("conv1", net.input("data", 1, 3, 64, 64), 8, 3, pad=1), 8, 8)
    net.convolution("fc6", "pool1", 6, 7)
    said: list[str] = []
    found = doctor.examine(net_of(net.spec()), LabelledPictures([np.indices((24, 24))[0] // 4], 6), tell=said.append)
    assert severities(found) == [("error", "input-too-small")]
    assert said == ["reading labels"]


def test_labels_that_cannot_be_fed_are_replaced() -> None:
    label = np.indices((60, 60))[0] // 10
    label[0, 0] = 99
    found = doctor.examine(healthy(), LabelledPictures([label], 6))
    assert severities(found) == [("error", "labels-out-of-range")]


def test_a_net_of_any_size_is_examined_too() -> None:
    spec = small_fcn()
    for name in ("data", "label"):
        spec = changed(spec, name, without=["shape"])
    found = doctor.examine(Net(spec))
    assert ("error", "upsampling-zero") in severities(found) and ("error", "trunk-constant") in severities(found)


def test_cheap_checks_of_a_large_fcn8s_take_well_under_a_second() -> None:
    net = models.build("voc-fcn8s", width=0.5, phase="TRAIN")
    began = time.process_time()
    found = doctor.cheap_checks(net, solver(net, 1e-10))
    assert time.process_time() - began < 1
    assert severities(found) == [("warning", "trunk-untrained")]


def test_warnings_are_given_before_training_but_notes_are_not() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        doctor.warn(solver(models.build("lite-fcn8s", classes=6, width=0.1, phase="TRAIN")))
    net = Net(small_fcn(), phase="TRAIN")
    with pytest.warns(UserWarning) as given:
        doctor.warn(solver(net))
    assert ["upscore2, upscore" in str(each.message) for each in given] == [True, False]
    assert "surgery.interp" in str(given[0].message)


def test_findings_are_sorted_and_printed_in_three_lines() -> None:
    note, error = Finding("b", "note", "What.", "Mend."), Finding("a", "error", "What.", "Mend.")
    assert by_severity([note, error]) == [error, note]
    assert str(error) == "error: a\n  What.\n  Mend."


def test_long_lists_are_cut() -> None:
    assert listed(["a", "b"]) == "a, b"
    assert listed(list("abcdefg")) == "a, b, c, d, e and 2 more"
