"""Resuming from the original Caffe's solver states: `.solverstate` and `.solverstate.h5`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from math import prod
from pathlib import Path

from fcnlite.arrays import Array, Shape
from fcnlite.description.shapes import show
from fcnlite.errors import TrainingError
from fcnlite.formats import caffe
from fcnlite.formats.caffe.solverstate import weights_beside
from fcnlite.loading import read_weights, take
from fcnlite.net import Net


def is_state(path: str | os.PathLike[str]) -> bool:
    """Whether the file has the name of a solver state of Caffe."""
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
        f"{path}: holds weights only, so a training can start from it but not resume; to resume, {way}. To start, "
        "load it into the net: fcnlite.load, or `weights` in the solver file."
    )


def restore(
    path: str | os.PathLike[str], net: Net, solver: str, histories: Sequence[str]
) -> tuple[int, dict[str, Array]]:
    """Load the weights into `net`; return the iteration and the histories of the parameters, by name.

    `solver` is the name of the rule and `histories` are the names of its histories. Caffe keeps the histories of all
    parameters, also of frozen ones, in the order of the net. Raises `TrainingError` if they do not fit.
    """
    state = caffe.read_solver_state(path)
    weights = weights_beside(path, state)
    parameters = _in_order(net)
    if len(state.history) != len(histories) * len(parameters):
        raise TrainingError(
            f"{path}: holds {len(state.history)} histories; {solver} expects {len(histories)} for each of "
            f"the net's {len(parameters)} parameters. Use the solver and the net that wrote it."
        )
    found = {}
    for i, array in enumerate(state.history):
        name, shape = parameters[i % len(parameters)]
        if array.size != prod(shape):
            raise TrainingError(
                f"{path}: history {i} has shape {show(array.shape)}; {name} has shape {show(shape)}. "
                "Use the solver and the net that wrote it."
            )
        found[f"{histories[i // len(parameters)]}/{name}"] = array.reshape(shape)
    take(net, read_weights(weights), weights)
    return state.iteration, found


def _in_order(net: Net) -> list[tuple[str, Shape]]:
    """The name and shape of every parameter, each once, in the order of the layers."""
    found: dict[int, tuple[str, Shape]] = {}
    for layer in net.layers:
        for i, parameter in enumerate(net.params.get(layer.spec.name, ())):
            found.setdefault(id(parameter), (f"{layer.spec.name}[{i}]", parameter.shape))
    return list(found.values())
