"""Crops that misalign."""

from __future__ import annotations

import pytest

from fcnlite import models
from fcnlite.description.spec import NetSpec
from fcnlite.doctor import crops
from fcnlite.doctor.padding import without_shapes
from fcnlite.net import Net
from tests.doctor.nets import changed, healthy, small_fcn


def offset(name: str) -> int:
    return int(small_fcn().layer(name).options["offset"][0])


def test_computed_offsets_are_right() -> None:
    assert crops.check(healthy()) == []


@pytest.mark.parametrize("name", ["voc-fcn8s", "voc-fcn-alexnet", "voc-fcn-googlenet", "nyud-fcn32s-color-hha"])
def test_the_published_offsets_are_right(name: str) -> None:
    assert crops.check(models.build(name, width=0.02)) == []


def test_both_offsets_are_named() -> None:
    right = offset("score")
    (found,) = crops.check(Net(changed(small_fcn(), "score", offset=[right + 1])))
    assert (found.severity, found.id) == ("error", "crop-misaligned")
    assert "'score'" in found.what and "'upscore'" in found.what and "'data'" in found.what
    assert f"offset {right + 1}, " in found.what and f"it is {right} " in found.what
    assert f"offset: {right}" in found.mend


def test_an_offset_that_is_not_written_is_zero() -> None:
    (found,) = crops.check(Net(changed(small_fcn(), "score", without=["offset"])))
    assert "offset 0, " in found.what


def test_one_wrong_axis_is_enough() -> None:
    right = offset("score")
    (found,) = crops.check(Net(changed(small_fcn(), "score", offset=[right, right + 1])))
    assert "for the columns" in found.what


def test_a_wrong_crop_does_not_make_the_next_one_wrong() -> None:
    net = Net(changed(small_fcn(), "score_pool1c", offset=[0]))
    assert ["'score_pool1c'" in each.what for each in crops.check(net)] == [True]


def test_half_a_pixel_is_a_note() -> None:
    """As FCN-AlexNet would have with an even kernel_size."""
    spec = models.describe("voc-fcn-alexnet", width=0.02)
    net = Net(changed(spec, "upscore", kernel_size=[64]))
    (found,) = crops.check(net)
    assert (found.severity, found.id) == ("note", "crop-between-pixels")
    assert ".5, is not a whole number" in found.what


def test_a_blob_that_begins_inside_its_reference_needs_more_pad() -> None:
    spec = changed(small_fcn(), "conv1", pad=[9])
    (found,) = [each for each in crops.check(_of_any_size(spec)) if "'score'" in each.what]
    assert (found.severity, found.id) == ("warning", "crop-impossible")
    assert "pad" in found.mend


def _of_any_size(spec: NetSpec) -> Net:
    """A net without parameters, since the shapes do not fit."""
    return Net(without_shapes(spec))
