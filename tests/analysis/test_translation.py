"""Shifts: a filter's output moves with the picture, a fully connected layer's does not."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite import models, surgery
from fcnlite.analysis.translation import shift, vector_change
from fcnlite.errors import ShapeError
from fcnlite.net import Net


def picture(channels: int, size: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(1, channels, size, size)).astype(np.float32)


@pytest.mark.parametrize("path", ["fast", "plain"])
def test_a_shift_by_the_stride_shifts_the_output_by_one(path: str) -> None:
    net = models.build("lenet", path=path, seed=1)
    found = shift(net, "pool2", picture(1, 44))
    assert (found.pixels, found.positions) == (4, 1) and found.inside < 1e-5
    spec, _ = surgery.fully_convolutional(net.spec)
    assert shift(Net(spec, path=path), "ip2", picture(1, 44)).inside < 1e-5


def test_padding_breaks_it_at_the_border_only() -> None:
    net = models.build("alexnet", width=1 / 16)
    found = shift(net, "pool5", picture(3, 323))
    assert found.pixels == 32 and found.inside < 1e-5 < 1e-3 < found.everywhere


def test_upsampled_scores_follow_shifts_by_the_coarsest_stride_only() -> None:
    net = models.build("lite-fcn8s", width=1 / 16, classes=3)
    surgery.fill(net, ["score_fr"], surgery.filling.Filler("gaussian", {"std": 0.1}))
    assert shift(net, "score", picture(3, 544), 32).inside < 1e-4
    assert shift(net, "score", picture(3, 544), 1).inside > 1e-2


def test_a_fully_connected_layer_does_not_shift() -> None:
    assert vector_change(models.build("lenet"), "ip1", picture(1, 32), 4) > 0.1


def test_shifts_that_cannot_be_compared_are_errors() -> None:
    net = models.build("lenet")
    with pytest.raises(ShapeError, match=r"3 pixels.*stride is 4"):
        shift(net, "pool2", picture(1, 40), 3)
    with pytest.raises(ShapeError, match="'ip1' has no place"):
        shift(net, "ip1", picture(1, 32))
    with pytest.raises(ShapeError, match=r"none is left|larger picture"):
        shift(net, "pool2", picture(1, 20))
