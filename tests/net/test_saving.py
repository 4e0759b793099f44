"""The model info that Net.save writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import fcnlite
from fcnlite.description.model_info import ModelInfo, Preprocessing
from fcnlite.net import Net
from tests.net.nets import SMALL, picture

OWN = ModelInfo(Preprocessing(mean=(1.0, 2.0, 3.0)), classes=("sky", "road", "tree"))
OTHER = ModelInfo(Preprocessing(mean=(4.0, 5.0, 6.0)), classes=("a", "b", "c"), record={"command": "none"})


def test_the_nets_own_info_is_written(tmp_path: Path) -> None:
    Net(SMALL, info=OWN).save(tmp_path / "net.h5")
    assert fcnlite.load(tmp_path / "net.h5").info == OWN


def test_a_given_info_is_written_and_the_nets_own_stays(tmp_path: Path) -> None:
    net = Net(SMALL, info=OWN)
    net.save(tmp_path / "net.h5", info=OTHER)
    assert net.info is OWN
    loaded = fcnlite.load(tmp_path / "net.h5")
    assert loaded.info == OTHER
    np.testing.assert_array_equal(loaded.forward(picture())["score"], net.forward(picture())["score"])
    net.save(tmp_path / "net.h5")
    assert fcnlite.load(tmp_path / "net.h5").info == OWN
