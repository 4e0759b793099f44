"""Shift-and-stitch against rarefaction and upsampling: what the experiment counts."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite import models, surgery
from fcnlite.analysis.dense.part import DensePart
from fcnlite.analysis.paper.experiments.shift_and_stitch import blobs_by_stride, costs, interpolated, macs, upsampling
from fcnlite.errors import SpecError
from tests.net.nets import conv, data, layer, net_of


def test_the_blobs_are_the_last_of_each_stride() -> None:
    net = models.build("lite-fcn8s", classes=3, width=1 / 32)
    assert blobs_by_stride(net) == {
        2: "conv2_2", 4: "conv3_3", 8: "score_pool3", 16: "score_pool4", 32: "score_fr"
    }  # fmt: skip
    with pytest.raises(SpecError, match="no blob of a stride above 1"):
        blobs_by_stride(net_of(data(1, 2, 5, 5), conv("one", "data")))


def test_multiply_accumulates_are_those_worked_out_by_hand() -> None:
    net = net_of(
        data(1, 2, 8, 8),
        conv("conv", "data", 4, 3, pad=[1]),
        layer("pool", "Pooling", "conv", kernel_size=2, stride=2),
        conv("score", "pool", 5, 1),
    )
    x = np.ones((1, 2, 8, 8))
    assert macs(net, x, "score") == 8 * 8 * 4 * 2 * 9 + 4 * 4 * 5 * 4
    own, stitched, rarefied, upsampled, difference = costs(net, x, "score")
    assert stitched.macs == 4 * own.macs
    assert rarefied.macs == 8 * 8 * 4 * 2 * 9 + 7 * 7 * 5 * 4
    assert upsampled.macs - own.macs == 4 * 4 * 5 * 4 * 4
    assert difference is not None and difference < 1e-12
    assert all(each.seconds > 0 for each in (own, stitched, rarefied, upsampled))


def test_interpolation_at_the_centres_of_receptive_fields_keeps_a_ramp() -> None:
    net = net_of(data(1, 1, 12, 12), layer("score", "Pooling", "data", kernel_size=4, stride=4, pool="AVE"))
    ramp = np.add.outer(np.arange(12.0), 2 * np.arange(16.0))[None, None]
    found = interpolated(net.forward(data=ramp)["score"], DensePart.of(net), 12, 16)
    np.testing.assert_allclose(found[0, 0, 2:-2, 2:-2], ramp[0, 0, 2:-2, 2:-2], atol=1e-12)


def test_the_upsampling_net_is_bilinear() -> None:
    net = upsampling(3, 2)
    scores = np.ones((1, 3, 6, 7), np.float32)
    up = net.forward(score=scores)["up"]
    assert up.shape == (1, 3, 12, 14)
    np.testing.assert_allclose(up[:, :, 1:-1, 1:-1], 1)
    other = upsampling(3, 2)
    surgery.interp(other)
    assert np.array_equal(other.params["up"][0].array, net.params["up"][0].array)
