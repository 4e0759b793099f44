"""Reads the state of Caffe's solvers: `.solverstate`, a protobuf message or HDF5."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fcnlite.errors import FileError, brief
from fcnlite.files import is_file
from fcnlite.formats import hdf5
from fcnlite.formats.caffe.blobs import to_array
from fcnlite.formats.caffe.caffemodel import MAX_BYTES
from fcnlite.formats.caffe.hdf5_files import group_of, read_arrays
from fcnlite.formats.caffe.reading import open_mapped
from fcnlite.formats.caffe.schema import fields, message_class
from fcnlite.formats.caffe.wire import BYTES, records
from fcnlite.formats.hdf5 import HDF5File

_MAX_NAME = 10_000
"""Maximum number of bytes in a file name."""


@dataclass
class SolverState:
    """The state from which Caffe resumes training."""

    iteration: int = 0
    learned_net: str = ""
    """The path of the weight file, relative to the folder in which the solver ran."""
    current_step: int = 0
    """The number of steps that a multistep policy has taken."""
    history: list[np.ndarray] = field(default_factory=list)
    """The optimizer's arrays, one per parameter in the order of the net. An optimizer with two arrays per parameter has
    all of the first kind before those of the second."""


def read_solver_state(path: str | os.PathLike[str]) -> SolverState:
    """The solver state in a protobuf or HDF5 file. Raises `FileError`."""
    return _read_hdf5(path) if hdf5.is_hdf5(path) else _read_binary(path)


def _read_binary(path: str | os.PathLike[str]) -> SolverState:
    from google.protobuf.message import DecodeError

    history = fields("SolverState")["history"].number
    rest = bytearray()
    arrays: list[np.ndarray] = []
    message: Any = message_class("SolverState")()
    try:
        with open_mapped(path, MAX_BYTES) as (stream, data):
            for record in records(data, 0, len(data)):
                if record.number == history and record.wire_type == BYTES:
                    where = f"{path}: history {len(arrays)}"
                    arrays.append(to_array(stream, data, (record.start, record.end), where))
                elif record.end - record.begin <= _MAX_NAME:
                    rest += data[record.begin : record.end]
        message.ParseFromString(bytes(rest))
    except (ValueError, DecodeError) as error:
        raise FileError(f"{path}: is not a solver state of Caffe, or it is damaged or cut short.") from error
    if not message.HasField("iter"):
        raise FileError(f"{path}: has no iteration; expected a .solverstate that Caffe saved.")
    return SolverState(_iteration(path, message.iter), message.learned_net, message.current_step, arrays)


def _read_hdf5(path: str | os.PathLike[str]) -> SolverState:
    with hdf5.opened(path) as file:
        history = read_arrays(file, group_of(file, "history"), "history")
        iteration, step = (_number(file, name) for name in ("iter", "current_step"))
        learned = ""
        if file.holds(file.root, "learned_net"):
            _, raw = file.data_set(file.root, "learned_net")
            learned = raw[:_MAX_NAME].tobytes().rstrip(b"\0").decode("utf-8")
    return SolverState(_iteration(path, iteration), learned, step, history)


def _number(file: HDF5File, name: str) -> int:
    found, raw = file.data_set(file.root, name)
    if found.size != 1 or found.dtype.kind not in "iu":
        raise file.damaged(f"{name!r} is not a whole number")
    return int(raw.view(found.dtype)[0])


def _iteration(path: str | os.PathLike[str], value: int) -> int:
    if value < 0:
        raise FileError(f"{path}: is of iteration {value}; expected 0 or more.")
    return value


def weights_beside(path: str | os.PathLike[str], state: SolverState) -> Path:
    """The path of the weights that belong to a state: the path that it names, else that file name beside `path`.

    Raises `FileError` if neither exists.
    """
    named = Path(state.learned_net)
    candidates = [named, Path(path).parent / named.name]
    for candidate in candidates:
        if state.learned_net and is_file(candidate):
            return candidate
    places = " nor at ".join(brief(each) for each in candidates)
    raise FileError(f"{path}: its weights are not at {places}; put them beside it.")
