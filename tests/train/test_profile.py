"""The time of each layer."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite import models
from fcnlite.train.profile import SHOWN, Profile, profiled


@pytest.mark.parametrize("path", ["fast", "plain"])
@pytest.mark.parametrize(("name", "size"), [("lite-fcn8s", 32), ("voc-fcn32s", 40)])
def test_a_profile_times_every_layer_and_leaves_the_net_as_it_was(name: str, size: int, path: str) -> None:
    net = models.build(name, classes=3, width=1 / 64, phase="TRAIN", path=path)
    x, label = np.zeros((1, 3, size, size)), np.zeros((1, 1, size, size))
    with profiled(net) as profile:
        for _ in range(2):
            net.forward(data=x, label=label, keep=True)
            net.backward()
    assert net.timer is None
    assert profile.passes == 2
    computed = {layer.spec.name for layer in net.layers if layer.spec.bottom}
    assert {each for layers in profile.layers for each in layers} == computed
    for layers, taken in profile.layers.items():
        assert taken.forward > 0
        if net.params.keys() & set(layers) and "upscore" not in layers:
            assert taken.backward > 0
    assert sum(each.both for each in profile.layers.values()) <= profile.seconds
    lines = profile.table().splitlines()
    slowest = sorted(profile.layers.values(), key=lambda each: -each.both)
    assert [line.split("  ")[0] for line in lines[1:3]] == [each.name for each in slowest[:2]]
    assert "all layers" in lines[-2] and lines[-1].startswith("2 passes")


def test_the_table_shows_the_slowest_and_adds_up_the_others() -> None:
    profile = Profile({f"conv{i}": "Convolution" for i in range(50)}, began=0.0, ended=5.0)
    for i in range(50):
        profile.add((f"conv{i}",), "forward", 0.001 * i)
        profile.add((f"conv{i}",) if i else (), "backward", 0.002)
    lines = profile.table().splitlines()
    assert lines[1].split() == ["conv49", "Convolution", "1.0", "ms", "0.0", "ms", "1.0%"]
    assert lines[SHOWN + 1].split()[:2] == ["11", "others"]
    assert lines[SHOWN + 2].split()[:5] == ["all", "layers", "24.5", "ms", "2.0"]
    assert lines[-1] == "50 passes; outside the layers (updates, data, validation): 3.7 s of 5.0 s"
