"""Going on where the original Caffe stopped: `.solverstate` and `.solverstate.h5`."""

from __future__ import annotations

import os
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fcnlite.description.shapes import show
from fcnlite.errors import TrainingError
from fcnlite.formats import caffe
from fcnlite.formats.caffe.solverstate import weights_beside
from fcnlite.loading import read_weights, take

if TYPE_CHECKING:
    from fcnlite.solver.base import Solver


def is_state(path: str | os.PathLike[str]) -> bool:
    """Whether the file's name is that of a solver state of Caffe."""
    return Path(path).name.endswith((".solverstate", ".solverstate.h5"))


def refuse_weights(path: str | os.PathLike[str]) -> None:
    """Raise `TrainingError` for the weights that Caffe saves beside a solver state."""
    name = Path(path).name
    form = next((each for each in (".caffemodel", ".caffemodel.h5") if name.endswith(each)), None)
    if form is None or not Path(path).is_file():
        return
    stem = Path(path).with_name(name.removesuffix(form))
    beside = [each for end in ("", ".h5") if (each := stem.with_name(f"{stem.name}.solverstate{end}")).is_file()]
    way = f"give {beside[0]}" if beside else f"give {stem.name}.solverstate, which Caffe saves beside it"
    raise TrainingError(
        f"{path}: holds weights only, so that a training can start with it; to resume one, {way}. To start one, load "
        "it into the net: fcnlite.load, or `weights` in the solver file."
    )


def restore(solver: Solver, path: str | os.PathLike[str]) -> dict[str, Any]:
    """Give `solver` the state and the weights; returns the iteration, as `Solver.restore` does.

    Caffe keeps the histories of all parameters, frozen ones too, in the order of the net. Raises `TrainingError` where
    they do not fit the solver's.
    """
    state = caffe.read_solver_state(path)
    weights = weights_beside(path, state)
    parameters = _in_order(solver)
    kinds = solver.histories
    if len(state.history) != len(kinds) * len(parameters):
        raise TrainingError(
            f"{path}: holds {len(state.history)} histories; {type(solver).__name__} expects {len(kinds)} for each of "
            f"the net's {len(parameters)} parameters. Use the solver and net that it was saved by."
        )
    histories = {}
    for i, array in enumerate(state.history):
        name, shape = parameters[i % len(parameters)]
        if array.size != prod(shape):
            raise TrainingError(f"{path}: history {i} has shape {show(array.shape)}, but {name} {show(shape)}.")
        histories[f"{kinds[i // len(parameters)]}/{name}"] = array.reshape(shape)
    take(solver.net, read_weights(weights), weights)
    solver.go_on(state.iteration, histories)
    return {"iteration": state.iteration}


def _in_order(solver: Solver) -> list[tuple[str, tuple[int, ...]]]:
    """Name and shape of every parameter, each once, in the order of the layers."""
    found: dict[int, tuple[str, tuple[int, ...]]] = {}
    for layer in solver.net.layers:
        for i, parameter in enumerate(solver.net.params.get(layer.spec.name, ())):
            found.setdefault(id(parameter), (f"{layer.spec.name}[{i}]", parameter.shape))
    return list(found.values())
