"""The full-width FCN-8s on VGG-16, forward and backward."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite import models

pytestmark = pytest.mark.slow


def test_fcn8s_at_full_width() -> None:
    net = models.build("voc-fcn8s", path="plain")
    rng = np.random.default_rng(0)
    for layer in ("score_fr", "score_pool4", "score_pool3"):  # built nets start them at zero
        weight = net.params[layer][0].data
        weight[...] = rng.normal(0, 0.01, weight.shape)
    for height, width in ((1, 1), (33, 47), (700, 300)):
        x = rng.normal(0, 50, (1, 3, height, width)).astype(np.float32)
        score = net.forward(data=x)["score"]
        assert score.shape == (1, 21, height, width) and np.isfinite(score).all() and score.any()

    x = rng.normal(0, 50, (1, 3, 500, 500)).astype(np.float32)
    label = rng.integers(0, 21, (1, 1, 500, 500))
    label[0, 0, :20] = 255
    loss = net.forward(data=x, label=label, keep=True)["loss"]
    assert net.blobs["score"].shape == (1, 21, 500, 500) and np.isfinite(loss) and loss > 0
    net.backward()
    learning = [name for name, _ in net.learnable()]
    assert len(learning) == 36  # weights and biases of fifteen convolutions and three scores
    for name, parameter in net.learnable():
        assert np.isfinite(parameter.grad).all() and parameter.grad.any(), name
