"""A loss that stays at ln(classes)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fcnlite import data
from fcnlite.doctor import plateau
from fcnlite.errors import FileError
from fcnlite.net import Net
from fcnlite.solver import SGD
from fcnlite.train.balance import balanced
from tests.doctor.nets import CLASSES, healthy, net_of, severities, small_fcn

LN = math.log(CLASSES)


def found(losses: list[float]) -> list[tuple[str, str]]:
    return severities(plateau.check(healthy(), losses, "in the log"))


def test_a_loss_that_falls_is_passed_over() -> None:
    assert found(np.linspace(LN, 0.5 * LN, 200).tolist()) == []
    assert found([LN] * 60 + [0.9 * LN] * 60) == []


def test_a_loss_that_stays_is_told() -> None:
    rng = np.random.default_rng(0)
    assert found((LN + rng.normal(0, 0.05, 200)).tolist()) == [("error", "loss-at-ln-classes")]
    assert found([1.01 * LN] * 50) == [("warning", "loss-at-ln-classes")]


def test_before_the_warm_up_nothing_is_said() -> None:
    assert found([LN] * 19) == []


def test_the_words_name_classes_and_loss() -> None:
    (finding,) = plateau.check(healthy(), [LN] * 20, "in the log")
    assert "ln 6 = 1.792" in finding.what and "After 20 iterations" in finding.what


def test_the_log_of_a_run_is_read(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_text("iteration,loss,rate,mean_iu\n1,1.5,0.1,\n2,1.25,0.1,0.5\n")
    assert plateau.read_log(file, healthy()) == [1.5, 1.25]
    assert plateau.read_log(file, Net(small_fcn(normalization="NONE"))) == []  # pixels unknown
    with pytest.raises(FileError, match="no such file"):
        plateau.read_log(tmp_path / "missing.csv", healthy())
    file.write_text("a,b\n1,2\n")
    with pytest.raises(FileError, match="column loss"):
        plateau.read_log(file, healthy())


def zero(net: Net, *names: str) -> Net:
    for name in names:
        net.params[name][0].data[...] = 0
    return net


@pytest.mark.parametrize(("normalization", "pixels"), [("VALID", 1), ("BATCH_SIZE", 64 * 64), ("FULL", 1)])
def test_zero_upsampling_stays_at_ln_classes_whatever_the_normalization(normalization: str, pixels: int) -> None:
    net = zero(net_of(small_fcn(normalization=normalization)), "upscore")
    losses = plateau.train(_solver(net, base_lr=1e-3 / pixels), data.open("shapes", count=4, size=64), 20)
    assert losses == pytest.approx([LN] * 20, rel=1e-5)
    assert severities(plateau.check(net, losses, "tried here")) == [("warning", "loss-at-ln-classes")]


def test_so_does_a_loss_with_weights_of_the_classes() -> None:
    dataset = data.open("shapes", count=4, size=64)
    net = zero(net_of(balanced(small_fcn(), dataset, 1.1)), "upscore")
    losses = plateau.train(_solver(net, base_lr=1e-3), dataset, 20)
    assert float(np.mean(losses)) == pytest.approx(LN, rel=0.01)  # single pictures are elsewhere
    assert max(losses) > 1.01 * LN
    assert severities(plateau.check(net, losses, "tried here")) == [("warning", "loss-at-ln-classes")]


def test_a_net_that_learns_leaves_ln_classes_and_is_not_changed() -> None:
    net = zero(healthy(), "score_fr", "score_pool1")
    before = net.params["score_fr"][1].array.copy()
    losses = plateau.train(_solver(net, base_lr=1e-3, iter_size=2), data.open("shapes", count=4, size=64), 20)
    assert losses[0] == pytest.approx(LN, rel=1e-5)
    assert plateau.check(net, losses, "tried here") == []
    np.testing.assert_array_equal(net.params["score_fr"][1].array, before)


def _solver(net: Net, **options: Any) -> SGD:
    return SGD(net, momentum=0.9, **options)
