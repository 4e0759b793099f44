"""A loss over a whole picture against the sum over its receptive fields."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite import models, surgery
from fcnlite.analysis.patches import macs, patch_gradients, receptive_fields, whole_gradients, with_loss
from fcnlite.errors import ShapeError
from fcnlite.net import Net


def lenet(**options: str) -> Net:
    spec, _ = surgery.fully_convolutional(models.describe("lenet", width=0.3))
    return Net(with_loss(spec, "ip2"), **options)


@pytest.mark.parametrize(("options", "bound"), [({"path": "plain", "dtype": "float64"}, 1e-12), ({}, 1e-4)])
def test_the_gradient_of_the_sum_is_the_sum_of_the_gradients(options: dict[str, str], bound: float) -> None:
    rng = np.random.default_rng(0)
    net = lenet(**options)
    picture, label = rng.normal(size=(1, 1, 40, 44)), rng.integers(0, 10, (1, 1, 4, 5))
    whole = whole_gradients(net, picture, label)
    patches = patch_gradients(net, "ip2", picture, label)
    assert whole.difference(patches) < bound and whole.loss == pytest.approx(patches.loss, rel=1e-5)
    assert whole.parameters and all(np.abs(each).max() > 0 for each in whole.parameters.values())


def test_the_whole_picture_costs_less() -> None:
    net = lenet()
    whole = macs(net, {"data": (1, 1, 64, 64), "label": (1, 1, 10, 10)})
    patches = macs(net, {"data": (100, 1, 28, 28), "label": (100, 1, 1, 1)})
    one = macs(net, {"data": (1, 1, 28, 28), "label": (1, 1, 1, 1)})
    assert patches == 100 * one and 4 < patches / whole < 49


def test_padding_has_no_patches() -> None:
    picture = np.zeros((1, 3, 227, 227))
    with pytest.raises(ShapeError, match=r"'pool5' span pixels -64 to .*padding"):
        receptive_fields(models.describe("alexnet"), "pool5", picture, (6, 6))
