"""Reads Caffe's HDF5 snapshots: weights (.caffemodel.h5) and solver states (.solverstate.h5)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from fcnlite.errors import FileError
from fcnlite.formats import hdf5
from fcnlite.formats.caffe.blobs import check_finite, check_shape
from fcnlite.formats.hdf5 import HDF5File

_FLOATS = ("<f4", "<f8", ">f4", ">f8")
_MAX_DEPTH = 20
"""Maximum depth of groups; a layer called a/b/c is three groups deep."""


def read_hdf5_weights(path: str | os.PathLike[str]) -> dict[str, list[np.ndarray]]:
    """The parameters by layer name: data/LAYER/0, 1, ... Raises `FileError`."""
    with hdf5.opened(path) as file:
        weights = dict(_layers(file, group_of(file, "data"), "", 0, {}))
    if not weights:
        raise FileError(f"{path}: holds no weights; expected groups data/LAYER with data sets 0, 1, ...")
    return weights


def read_arrays(file: HDF5File, group: Any, where: str, read: dict[int, np.ndarray] | None = None) -> list[np.ndarray]:
    """The data sets 0, 1, ... of a group as float32 arrays.

    `read` keeps the arrays by their place in memory: a data set that is linked several times is read once.
    """
    read = {} if read is None else read
    return [_array(file, group, str(i), f"{file.path}: {where}, blob {i}", read) for i in range(len(file.names(group)))]


def group_of(file: HDF5File, name: str) -> Any:
    """The outermost group `name`. Raises `FileError` if it is missing or a link."""
    if not file.holds(file.root, name) or not file.is_group(file.root, name):
        raise FileError(f"{file.path}: has no group {name!r}; expected a file that Caffe saved.")
    return file.group(file.root, name)


def _layers(
    file: HDF5File, group: Any, name: str, depth: int, read: dict[int, np.ndarray]
) -> Iterator[tuple[str, list[np.ndarray]]]:
    """The layers at and below `group`; a group that holds data sets is a layer."""
    if depth > _MAX_DEPTH:
        raise file.damaged("its groups are too deep")
    names = file.names(group)
    if not all(file.is_group(group, each) for each in names):
        yield name, read_arrays(file, group, f"layer {name!r}", read)
        return
    for each in names:
        inner = f"{name}/{each}" if name else each
        yield from _layers(file, file.group(group, each), inner, depth + 1, read)


def _array(file: HDF5File, group: Any, name: str, where: str, read: dict[int, np.ndarray]) -> np.ndarray:
    import h5py

    found, raw = file.data_set(group, name)
    kind = next((each for each in _FLOATS if h5py.h5t.py_create(np.dtype(each)) == found.id.get_type()), None)
    if kind is None:
        raise FileError(f"{where}: holds {found.dtype}; expected float32 or float64.")
    shape = check_shape(found.shape, where)
    if raw.ctypes.data not in read:
        with np.errstate(over="ignore"):
            array = np.array(raw.view(kind), dtype=np.float32)
        check_finite(array, where)
        array.flags.writeable = False
        read[raw.ctypes.data] = array
    return read[raw.ctypes.data].reshape(shape)
