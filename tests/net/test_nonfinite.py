"""Finding NaN and infinity."""

from __future__ import annotations

import numpy as np

from tests.net.nets import labels, picture, small


def test_find_nonfinite_names_the_origin() -> None:
    net = small()
    net.forward(data=picture(), label=labels(), keep=True)
    assert net.find_nonfinite() is None

    x = picture()
    x[0, 0, 3, 3] = np.inf
    net.forward(data=x, label=labels(), keep=True)
    assert "'data'" in str(net.find_nonfinite())

    net.params["score_pool"][1].data[1] = np.nan
    net.forward(data=picture(), label=labels(), keep=True)
    assert "'score_pool'" in str(net.find_nonfinite())
    net.params["conv1"][0].data[0, 0, 0, 0] = np.nan
    net.forward(data=picture(), label=labels(), keep=True)
    assert "'conv1'" in str(net.find_nonfinite()) and "score_pool" not in str(net.find_nonfinite())
