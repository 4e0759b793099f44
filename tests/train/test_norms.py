"""Norms of gradients and weights by layer."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite import models
from fcnlite.solver import SGD
from fcnlite.train.norms import Norms


def test_norms_are_those_of_learned_parameters() -> None:
    net = models.build("lite-fcn8s", classes=3, width=1 / 64, phase="TRAIN")
    solver = SGD(net, base_lr=0.0, iter_size=2)
    rng = np.random.default_rng(0)
    passes = [{"data": rng.normal(size=(1, 3, 16, 16)), "label": rng.integers(0, 3, (1, 1, 16, 16))} for _ in range(2)]
    solver.step(passes)
    norms = Norms.of(net, 2)
    scale = net.params["scale1_1"]
    both = np.concatenate([each.grad.ravel() for each in scale])
    assert norms.gradients["scale1_1"] == pytest.approx(float(np.linalg.norm(both)) / 2, rel=1e-5)
    everything = np.concatenate([each.array.ravel() for _, each in net.learnable()])
    assert norms.weight == pytest.approx(float(np.linalg.norm(everything)), rel=1e-5)
    assert "bn1_1" not in norms.weights and "upscore8" not in norms.weights
