"""The remedies for an impossible crop: each is applied, and works."""

from __future__ import annotations

import re

import numpy as np
import pytest

from fcnlite.description.spec import NetSpec
from fcnlite.doctor import crops
from fcnlite.doctor.padding import without_shapes
from fcnlite.errors import ShapeError
from fcnlite.models.builder import Builder
from fcnlite.net import Net
from tests.doctor.nets import changed, small_fcn


def skip_below(pad: int = 1, fc6: int = 7, side: int = 64, kernel: int = 4) -> NetSpec:
    """Upsampled scores, cropped to a skip: the pad of conv1 is below both."""
    net = Builder("skip")
    net.input("data", 1, 3, side, side)
    net.pool("pool1", net.convolution("conv1", "data", 4, 3, pad=pad), 2, 2)
    net.pool("pool2", "pool1", 2, 2)
    net.convolution("fc6", "pool2", 4, fc6, pad=0)
    net.upsample("up", net.score("score", "fc6", 2), 2, 2, kernel)
    skip = net.score("score_pool1", "pool1", 2)
    net.add("crop", "Crop", ("up", skip), axis=2, offset=[0])
    net.fuse("fuse", "crop", skip)
    return net.spec()


def message(spec: NetSpec) -> str:
    with pytest.raises(ShapeError) as caught:
        Net(spec)
    return str(caught.value)


def corrected(spec: NetSpec, crop: str, advice: str) -> NetSpec:
    """The net with the first change that the advice proposes."""
    change = re.search(r"[Gg]ive '(\w+)' a (pad|kernel) of (\d+)", advice)
    offset = re.search(rf"'{crop}' `offset: (\d+)`|`offset: (\d+)` in '{crop}'", advice)
    assert offset is not None, advice
    spec = changed(spec, crop, offset=[int(offset[1] or offset[2])])
    if change is not None:
        option = {"pad": "pad", "kernel": "kernel_size"}[change[2]]
        spec = changed(spec, change[1], **{option: [int(change[3])]})
    return spec


def assert_right(spec: NetSpec) -> None:
    """Check that the net runs and that the doctor accepts the crops."""
    net = Net(spec)
    shapes = {
        name: shape
        for layer in net.layers
        if not layer.spec.bottom
        for name, shape in zip(layer.spec.top, layer.top_shapes(), strict=True)
    }
    net.forward({name: np.zeros(shape, np.float32) for name, shape in shapes.items()})
    assert [each for each in crops.check(net) if each.severity != "note"] == []


@pytest.mark.parametrize("pad", [1, 20, 100])
@pytest.mark.parametrize("fc6", [3, 7])
def test_a_skip_under_upsampled_scores_is_not_helped_by_the_first_pad(pad: int, fc6: int) -> None:
    spec = skip_below(pad, fc6)
    advice = message(spec)
    assert "layer 'crop' (Crop): on axis 2" in advice and "cancels out" in advice and "'conv1'" not in advice
    assert_right(corrected(spec, "crop", advice.partition(", or feed")[0]))


def test_a_reference_that_is_the_picture_is_helped_by_it() -> None:
    spec = changed(small_fcn(), "conv1", pad=[4])
    advice = message(spec)
    assert "Give 'conv1' a pad of " in advice and "cancels out" not in advice
    assert_right(corrected(spec, "score", advice))


def test_a_wrong_offset_alone_is_reported_as_such() -> None:
    spec = changed(small_fcn(), "score", offset=[30])
    advice = message(spec)
    assert "go beyond the blob's" in advice and "Write `offset: 10` in 'score'" in advice
    assert_right(corrected(spec, "score", advice))


def test_a_size_that_rounds_down_may_be_enlarged() -> None:
    """A skip of an odd number of rows: pooling without pad drops the last, and upsampling does not restore it."""
    net = Builder("odd")
    net.input("data", 1, 3, 33, 33)
    net.convolution("down", "data", 4, 2, stride=2, pad=0)
    net.upsample("up", "down", 4, 2, 2)
    net.add("crop", "Crop", ("up", "data"), axis=2, offset=[0])
    advice = message(net.spec())
    assert (
        "by 1 " in advice and "feed pictures that are 1 pixel higher and wider (with `offset: 0` in 'crop')" in advice
    )
    x = np.zeros((1, 3, 34, 34), np.float32)
    assert Net(without_shapes(net.spec())).forward(data=x)["crop"].shape == (1, 4, 34, 34)


def test_the_doctor_s_advice_for_a_skip_works_too() -> None:
    spec = skip_below(100, 7)
    (found,) = [each for each in crops.check(Net(without_shapes(spec))) if each.id == "crop-impossible"]
    assert "'conv1'" not in found.mend
    assert_right(corrected(spec, "crop", found.mend))


def test_computed_offsets_have_the_same_remedies() -> None:
    net = Builder("skip")
    net.input("data", 1, 3, 64, 64)
    net.pool("pool1", net.convolution("conv1", "data", 4, 3, pad=100), 2, 2)
    net.convolution("fc6", "pool1", 4, 7, pad=0)
    with pytest.raises(
        ShapeError, match=r"cropped by -3 pixels .*to only 'fc6' must begin 3 pixels earlier.*cancels out"
    ):
        net.crop("crop", "fc6", "pool1")
    with pytest.raises(
        ShapeError, match=r"'near' .*by -1 pixels .*give the net's first layer at least 1 pixels more pad"
    ):
        net.crop("crop", net.convolution("near", "data", 4, 3, pad=0), "data")
