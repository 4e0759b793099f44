"""Fusion by the maximum."""

from __future__ import annotations

import numpy as np

from fcnlite import data, models, surgery
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.max_fusion import fused_by, larger
from fcnlite.analysis.paper.table import named
from fcnlite.description.fillers import Filler
from fcnlite.net import Net


def test_the_maximum_passes_its_gradient_to_the_larger_stream() -> None:
    net = Net(fused_by("MAX", 3), seed=1)
    models.initialize(net)
    surgery.fill(net, ["score_fr", "score_pool4"], Filler("msra"))
    picture = np.random.default_rng(0).normal(size=(1, 3, 64, 64)).astype(np.float32)
    coarse, fine = net.layer("fuse_pool4").spec.bottom
    out = net.forward(data=picture, outputs=["fuse_pool4"], keep=[coarse, fine])
    net.backward({"fuse_pool4": np.ones_like(out["fuse_pool4"])}, wrt=[coarse, fine])
    won = larger(net, picture)
    assert ((net.grads[coarse] == 1) == won).all()
    assert ((net.grads[fine] == 1) == ~won).all()
    assert 0.05 < won.mean() < 0.95


def test_the_page_compares_both() -> None:
    sets = {name: data.open("shapes", split=name, size=32, count=2) for name in ("train", "val")}
    page = named("max-fusion").run(Settings(train_set=sets["train"], val_set=sets["val"], iterations=1))
    assert page.comparisons[0].what == "mean IU with the maximum less that with the sum"
    assert "<td>SUM</td>" in page.html() and "<td>MAX</td>" in page.html()
