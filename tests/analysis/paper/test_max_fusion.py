"""Fusion by the maximum."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite import models, surgery
from fcnlite.analysis.paper import max_fusion
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.max_fusion import fused_by, larger
from fcnlite.analysis.paper.table import named
from fcnlite.description.fillers import Filler
from fcnlite.net import Net


def test_the_maximum_passes_its_gradient_to_the_larger_stream() -> None:
    net = Net(fused_by("MAX", 3), seed=1)
    models.initialize(net)
    surgery.fill(net, ["score_coarse", "score_fine"], Filler("msra"))
    picture = np.random.default_rng(0).normal(size=(1, 3, 64, 64)).astype(np.float32)
    coarse, fine = net.layer("fuse").spec.bottom
    out = net.forward(data=picture, outputs=["fuse"], keep=[coarse, fine])
    net.backward({"fuse": np.ones_like(out["fuse"])}, wrt=[coarse, fine])
    won = larger(net, picture)
    assert ((net.grads[coarse] == 1) == won).all()
    assert ((net.grads[fine] == 1) == ~won).all()
    assert 0.05 < won.mean() < 0.95


def test_the_page_compares_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(max_fusion, "SEEDS", 1)
    monkeypatch.setattr(max_fusion, "RATES", (0.1, 0.2))
    monkeypatch.setattr(max_fusion, "_PICTURES", {"train": 8, "val": 2, "test": 2})
    page = named("max-fusion").run(Settings(iterations=10))
    assert "points" in page.comparisons[0].ours
    assert "<td>SUM</td>" in page.html() and "<td>MAX</td>" in page.html()
