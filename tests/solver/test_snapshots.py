"""Snapshots: their content, and errors for those that do not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import fcnlite
from fcnlite import solver
from fcnlite.errors import FileError, TrainingError
from fcnlite.solver import SGD
from tests.solver.nets import NET, arrays, assert_equal, batch, train_net


def test_a_restored_run_continues_bit_for_bit(tmp_path: Path) -> None:
    def start() -> SGD:
        return SGD(train_net(seed=3), base_lr=0.1, momentum=0.9, lr_policy="poly", max_iter=9, power=0.9, iter_size=2)

    whole = start()
    for i in range(3):
        whole.step(batch(i))
    whole.snapshot(tmp_path / "state.h5", {"epoch": 7})
    expected = [whole.step(batch(i)) for i in range(3, 6)]

    resumed = start()
    resumed.step(batch(99))
    progress = resumed.restore(tmp_path / "state.h5")
    assert progress["epoch"] == 7 and resumed.iteration == 3
    assert [resumed.step(batch(i)) for i in range(3, 6)] == expected
    assert_equal(arrays(resumed.net), arrays(whole.net))


RULES = sorted(solver.TYPES)


@pytest.mark.parametrize("rule", RULES)
def test_every_solver_continues_bit_for_bit(tmp_path: Path, rule: str) -> None:
    def start() -> solver.Solver:
        return solver.create(rule, train_net(seed=3), base_lr=0.05, weight_decay=0.01, average_loss=3)

    whole = start()
    for i in range(3):
        whole.step(batch(i))
    whole.snapshot(tmp_path / "state.h5")
    resumed = start()
    resumed.step(batch(99))
    resumed.restore(tmp_path / "state.h5")
    assert resumed.smoothed_loss == whole.smoothed_loss
    for each in (whole, resumed):
        each.step(batch(5))
    assert_equal(arrays(resumed.net), arrays(whole.net))
    assert resumed.smoothed_loss == whole.smoothed_loss


def test_a_snapshot_of_another_rule_is_refused(tmp_path: Path) -> None:
    solver.create("Adam", train_net()).snapshot(tmp_path / "adam.h5")
    other = SGD(train_net(seed=1))
    before = arrays(other.net)
    with pytest.raises(TrainingError, match=r"adam\.h5.*Adam.*SGD"):
        other.restore(tmp_path / "adam.h5")
    assert_equal(arrays(other.net), before)


def test_a_snapshot_before_the_first_step_is_complete(tmp_path: Path) -> None:
    whole, resumed = (SGD(train_net(), base_lr=0.1, momentum=0.9) for _ in range(2))
    whole.snapshot(tmp_path / "start.h5")
    resumed.step(batch(9))
    resumed.restore(tmp_path / "start.h5")
    for each in (whole, resumed):
        each.step(batch(0))
    assert_equal(arrays(resumed.net), arrays(whole.net))


def test_a_snapshot_is_a_weight_file_too(tmp_path: Path) -> None:
    sgd = SGD(train_net(), base_lr=0.1)
    sgd.step(batch())
    sgd.snapshot(tmp_path / "state.h5")
    assert_equal(arrays(fcnlite.load(tmp_path / "state.h5")), arrays(sgd.net))


def test_files_that_cannot_be_restored_are_named(tmp_path: Path) -> None:
    sgd = SGD(train_net())
    sgd.snapshot(tmp_path / "state.h5")
    other = SGD(train_net(NET.replace("num_output: 4", "num_output: 5")))
    before = arrays(other.net)
    with pytest.raises(TrainingError, match=r"state\.h5.*'(conv|score)'"):
        other.restore(tmp_path / "state.h5")
    assert_equal(arrays(other.net), before)
    thawed = SGD(train_net(NET.replace("lr_mult: 0", "lr_mult: 1")))
    with pytest.raises(TrainingError, match=r"state\.h5"):
        thawed.restore(tmp_path / "state.h5")
    sgd.net.save(tmp_path / "weights.h5")
    with pytest.raises(TrainingError, match=r"weights\.h5.*weights"):
        sgd.restore(tmp_path / "weights.h5")
    with pytest.raises(FileError, match=r"missing\.h5"):
        sgd.restore(tmp_path / "missing.h5")


def test_a_snapshot_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="missing"):
        SGD(train_net()).snapshot(tmp_path / "missing" / "state.h5")


@pytest.mark.parametrize("progress", [{"iteration": True}, {"iteration": -1}, {"losses": [[]]}, {"losses": "x"}])
def test_a_damaged_record_is_refused(tmp_path: Path, progress: dict[str, Any]) -> None:
    sgd = SGD(train_net())
    sgd.snapshot(tmp_path / "state.h5", progress)
    with pytest.raises(TrainingError, match=r"state\.h5"):
        sgd.restore(tmp_path / "state.h5")
