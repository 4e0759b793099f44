"""Resuming from Caffe's solver states."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from fcnlite import solver
from fcnlite.errors import FileError, TrainingError
from fcnlite.formats.caffe import read_solver_state, write_weights
from fcnlite.formats.caffe.schema import message_class
from tests.solver.nets import arrays, assert_equal, batch, train_net

RULES = ["SGD", "Adam"]


def caffes(folder: Path, started: solver.Solver, form: str, **changed: object) -> Path:
    """Write the weights and the state that Caffe would have saved for a solver."""
    weights = {name: [each.array for each in parameters] for name, parameters in started.net.params.items()}
    write_weights(folder / "net_iter_3.caffemodel", weights)
    zeros = np.zeros_like
    history = [
        started._histories.get(f"{kind}/{name}[{i}]", zeros(array))
        for kind in started.histories
        for name, given in weights.items()
        for i, array in enumerate(given)
    ]
    fields = {"iter": started.iteration, "learned_net": "/gone/net_iter_3.caffemodel", "current_step": 0, **changed}
    path = folder / f"net_iter_3.solverstate{form}"
    if form:
        with h5py.File(path, "w") as file:
            file["iter"], file["current_step"] = np.int32(fields["iter"]), np.int32(0)  # type: ignore[call-overload]
            file["learned_net"] = np.bytes_(str(fields["learned_net"]))
            for i, array in enumerate(history):
                file[f"history/{i}"] = array
    else:
        blobs = [{"shape": {"dim": each.shape}, "data": each.ravel()} for each in history]
        path.write_bytes(message_class("SolverState")(history=blobs, **fields).SerializeToString())
    return path


def started(rule: str, steps: int = 3) -> solver.Solver:
    made = solver.create(rule, train_net(seed=3), base_lr=0.05, momentum=0.9)
    for i in range(steps):
        made.step(batch(i))
    return made


@pytest.mark.parametrize("form", ["", ".h5"])
@pytest.mark.parametrize("rule", RULES)
def test_a_state_of_caffe_continues_like_a_snapshot(tmp_path: Path, rule: str, form: str) -> None:
    whole = started(rule)
    resumed = solver.create(rule, train_net(seed=4), base_lr=0.05, momentum=0.9)
    assert resumed.restore(caffes(tmp_path, whole, form)) == {"iteration": 3}
    for each in (whole, resumed):
        each.net.state.seed = 0  # Caffe's files do not keep the seed of Dropout
        each.step(batch(7))
    assert_equal(arrays(resumed.net), arrays(whole.net))


def test_states_that_do_not_fit_are_errors_and_change_nothing(tmp_path: Path) -> None:
    path = caffes(tmp_path, started("SGD"), "")
    adam = started("Adam", 1)
    before = arrays(adam.net)
    with pytest.raises(TrainingError, match=r"solverstate.*holds 6 histories.*Adam expects 2.*6 parameters"):
        adam.restore(path)
    assert_equal(arrays(adam.net), before)
    (tmp_path / "net_iter_3.caffemodel").unlink()
    with pytest.raises(FileError, match=r"weights are not at.*net_iter_3\.caffemodel"):
        started("SGD", 1).restore(path)


@pytest.mark.parametrize("content", [b"", b"\x0a\x05ab", b"\xff" * 40, b"\x12\x01a"])
def test_damaged_states_are_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.solverstate"
    path.write_bytes(content)
    with pytest.raises(FileError, match=r"x\.solverstate"):
        read_solver_state(path)


def test_a_negative_iteration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="iteration -1"):
        read_solver_state(caffes(tmp_path, started("SGD"), "", iter=-1))
    with pytest.raises(FileError, match="iteration -1"):
        read_solver_state(caffes(tmp_path, started("SGD"), ".h5", iter=-1))


@pytest.mark.parametrize("name", ["net_iter_3.caffemodel", "net_iter_3.caffemodel.h5"])
def test_resuming_from_weights_is_an_error(tmp_path: Path, name: str) -> None:
    whole = started("SGD")
    before = arrays(whole.net)
    (tmp_path / name).write_bytes(b"weights")
    message = rf"{name}: holds weights only.*to resume, give net_iter_3\.solverstate, which Caffe saves"
    with pytest.raises(TrainingError, match=message):
        whole.restore(tmp_path / name)
    for form in (".h5", ""):
        state = caffes(tmp_path, whole, form)
        with pytest.raises(TrainingError, match=f"to resume, give {state}\\. To start"):
            whole.restore(tmp_path / name)
    assert_equal(arrays(whole.net), before)
    assert whole.restore(state) == {"iteration": 3}


def test_a_missing_caffemodel_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="gone"):
        started("SGD", 0).restore(tmp_path / "gone.caffemodel")
