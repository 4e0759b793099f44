"""Deconvolutions that should be bilinear."""

from __future__ import annotations

import numpy as np

from fcnlite import surgery
from fcnlite.description.fillers import Filler
from fcnlite.description.spec import NetSpec, ParamSpec
from fcnlite.doctor import upsampling
from fcnlite.net import Net
from tests.doctor.nets import CLASSES, changed, healthy, net_of, severities, small_fcn


def grouped() -> NetSpec:
    return changed(changed(small_fcn(), "upscore", group=CLASSES), "upscore2", group=CLASSES)


def test_bilinear_upsampling_is_passed_over() -> None:
    assert upsampling.check(healthy()) == []
    assert upsampling.check(net_of(grouped())) == []
    half = healthy()
    half.params["upscore"][0].data = half.params["upscore"][0].array.astype(np.float16)
    assert upsampling.check(half) == []


def test_zero_is_told_of_the_layers_that_are() -> None:
    (found,) = upsampling.check(Net(small_fcn()))
    assert (found.severity, found.id) == ("error", "upsampling-zero")
    assert "deconvolutions upscore2, upscore are" in found.what
    assert "surgery.interp" in found.mend
    net = healthy()
    net.params["upscore"][0].data[...] = 0
    assert "deconvolutions upscore are" in upsampling.check(net)[0].what


def test_caffes_bilinear_filler_without_group_mixes_the_classes() -> None:
    net = healthy()
    surgery.fill(net, ["upscore"], Filler("bilinear"))
    (found,) = upsampling.check(net)
    assert (found.severity, found.id) == ("error", "upsampling-mixes-classes")
    assert "'upscore'" in found.what and f"{CLASSES * (CLASSES - 1) * 16} weights" in found.what
    with_groups = net_of(grouped())
    surgery.fill(with_groups, ["upscore"], Filler("bilinear"))
    assert upsampling.check(with_groups) == []


def test_a_fixed_kernel_that_is_not_bilinear_is_told_with_the_difference() -> None:
    net = healthy()
    net.params["upscore"][0].data[2, 2, 1, 1] += 0.25
    (found,) = upsampling.check(net)
    assert (found.severity, found.id) == ("warning", "upsampling-not-bilinear")
    assert "off by up to 0.25" in found.what and "0.562" in found.what


def test_learning_matters_more_at_the_last() -> None:
    learning = (ParamSpec(lr_mult=1),)
    net = net_of(changed(changed(small_fcn(), "upscore", param=learning), "upscore2", param=learning))
    assert severities(upsampling.check(net)) == [("note", "upsampling-learns"), ("warning", "upsampling-learns")]
    net.params["upscore2"][0].data[...] *= 1.1  # has learned
    assert severities(upsampling.check(net)) == [("note", "upsampling-learns"), ("warning", "upsampling-learns")]


def test_learning_from_a_random_start_is_told() -> None:
    net = net_of(changed(small_fcn(), "upscore2", param=(ParamSpec(lr_mult=1),)))
    surgery.fill(net, ["upscore2"], Filler("xavier"))
    assert severities(upsampling.check(net)) == [("warning", "upsampling-not-bilinear"), ("note", "upsampling-learns")]


def test_other_shapes_are_no_interpolation() -> None:
    net = Net(changed(small_fcn(), "upscore", kernel_size=[7]))
    for name in ("upscore", "upscore2"):
        net.params[name][0].data = np.random.default_rng(0).random(net.params[name][0].shape)
    assert {each.what.split("'")[1] for each in upsampling.check(net)} == {"upscore2"}
