"""Where one of Caffe's solvers stood: `.solverstate`, as a protobuf message or in HDF5."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fcnlite.errors import FileError
from fcnlite.formats import hdf5
from fcnlite.formats.caffe.blobs import to_array
from fcnlite.formats.caffe.caffemodel import MAX_BYTES
from fcnlite.formats.caffe.hdf5_files import group_of, read_arrays
from fcnlite.formats.caffe.reading import open_mapped
from fcnlite.formats.caffe.schema import fields, message_class
from fcnlite.formats.caffe.wire import BYTES, records

_MAX_NAME = 10_000
"""Bytes of the name of a file."""


@dataclass
class SolverState:
    """What Caffe keeps to go on."""

    iteration: int = 0
    learned_net: str = ""
    """The file of the weights, as the solver was run."""
    current_step: int = 0
    """How often a multistep policy has stepped."""
    history: list[np.ndarray] = field(default_factory=list)
    """What the rule remembers, for each parameter in the order of the net; rules with two kinds have all of the first
    before those of the second."""


def read_solver_state(path: str | os.PathLike[str]) -> SolverState:
    """The solver state in a file of either form. Raises `FileError`."""
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
        raise FileError(f"{path}: is no solver state of Caffe, or it is damaged or cut short.") from error
    if not message.HasField("iter"):
        raise FileError(f"{path}: tells no iteration; expected a .solverstate that Caffe saved.")
    return SolverState(_iteration(path, message.iter), message.learned_net, message.current_step, arrays)


def _read_hdf5(path: str | os.PathLike[str]) -> SolverState:
    with hdf5.opened(path) as (stream, file):
        content = hdf5.content_of(stream)
        history = read_arrays(path, content, group_of(path, file, "history"), "history")
        iteration, step = (_number(path, content, file, name) for name in ("iter", "current_step"))
        name, raw = hdf5.data_set(path, content, file, "learned_net") if "learned_net" in file else (None, None)
        learned = "" if name is None or raw is None else raw[:_MAX_NAME].tobytes().rstrip(b"\0").decode("utf-8")
    return SolverState(_iteration(path, iteration), learned, step, history)


def _number(path: str | os.PathLike[str], content: np.ndarray, file: Any, name: str) -> int:
    found, raw = hdf5.data_set(path, content, file, name)
    if found.size != 1 or found.dtype.kind not in "iu":
        raise hdf5.damaged(path, f"{name!r} is no whole number")
    return int(raw.view(found.dtype)[0])


def _iteration(path: str | os.PathLike[str], value: int) -> int:
    if value < 0:
        raise FileError(f"{path}: stands at iteration {value}; expected 0 or more.")
    return value


def weights_beside(path: str | os.PathLike[str], state: SolverState) -> Path:
    """The weights that belong to a state: where it names them, else by that name beside it.

    Raises `FileError` where they are not found.
    """
    named = Path(state.learned_net)
    candidates = [named, Path(path).parent / named.name]
    for candidate in candidates:
        if state.learned_net and candidate.is_file():
            return candidate
    raise FileError(f"{path}: its weights are not at {' nor at '.join(map(str, candidates))}; put them beside it.")
