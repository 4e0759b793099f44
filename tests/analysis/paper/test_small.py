"""The small net: where its features end, and how its scores begin."""

from __future__ import annotations

import numpy as np

from fcnlite import data
from fcnlite.analysis.paper.small import COARSEST, begin_small, log_shares, small_fcn
from fcnlite.analysis.paper.training import shipped_trunk

SHAPES = data.open("shapes", split="train", size=32, count=20)


def test_every_pixel_begins_with_the_shares_of_the_classes() -> None:
    net = begin_small(small_fcn(6), SHAPES, shipped_trunk(), {COARSEST: log_shares(SHAPES)}, 0)
    score = net.share("TEST").forward(data=np.zeros((1, 3, 32, 32)), outputs=["score"])["score"]
    counts = np.bincount(np.concatenate([each.label.ravel() for each in SHAPES]), minlength=256)[:6]
    np.testing.assert_allclose(np.exp(score[0, :, 16, 16]), counts / counts.sum(), rtol=1e-4)
    np.testing.assert_array_equal(net.params["conv3_3"][0].data, shipped_trunk()["conv3_3"][0])
