"""Reads Caffe's HDF5 snapshots: weights (.caffemodel.h5) and solver states (.solverstate.h5)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from fcnlite.errors import FileError
from fcnlite.formats import hdf5
from fcnlite.formats.caffe.blobs import check_finite, check_shape

_FLOATS = ("<f4", "<f8", ">f4", ">f8")
_MAX_DEPTH = 20
"""Maximum depth of groups; a layer called a/b/c is three groups deep."""
MAX_BLOBS = 100_000
"""Maximum number of members of a group."""


def read_hdf5_weights(path: str | os.PathLike[str]) -> dict[str, list[np.ndarray]]:
    """The parameters by layer name: data/LAYER/0, 1, ... Raises `FileError`."""
    with hdf5.opened(path) as (stream, file):
        content = hdf5.content_of(stream)
        weights = dict(_layers(path, content, group_of(path, file, "data"), "", 0))
    if not weights:
        raise FileError(f"{path}: holds no weights; expected groups data/LAYER with data sets 0, 1, ...")
    return weights


def read_arrays(path: str | os.PathLike[str], content: np.ndarray, group: Any, where: str) -> list[np.ndarray]:
    """The data sets 0, 1, ... of a group as float32 arrays."""
    arrays = []
    for index in range(min(len(group), MAX_BLOBS)):
        arrays.append(_array(path, content, group, str(index), f"{path}: {where}, blob {index}"))
    return arrays


def group_of(path: str | os.PathLike[str], where: Any, name: str) -> Any:
    """The group `name`. Raises `FileError` if it is missing or a link."""
    import h5py

    if not isinstance(where.get(name, getlink=True), h5py.HardLink) or not isinstance(where[name], h5py.Group):
        raise FileError(f"{path}: has no group {name!r}; expected a file that Caffe saved.")
    return where[name]


def _layers(
    path: str | os.PathLike[str], content: np.ndarray, group: Any, name: str, depth: int
) -> Iterator[tuple[str, list[np.ndarray]]]:
    """The layers at and below `group`; a group that holds data sets is a layer."""
    import h5py

    if depth > _MAX_DEPTH or len(group) > MAX_BLOBS:
        raise hdf5.damaged(path, "its groups are too many or too deep")
    members = {key: group.get(key, getclass=True) for key in group}
    if any(member is h5py.Dataset for member in members.values()):
        yield name, read_arrays(path, content, group, f"layer {name!r}")
        return
    for key in members:
        inner = f"{name}/{key}" if name else key
        yield from _layers(path, content, group_of(path, group, key), inner, depth + 1)


def _array(path: str | os.PathLike[str], content: np.ndarray, group: Any, name: str, where: str) -> np.ndarray:
    import h5py

    found, raw = hdf5.data_set(path, content, group, name)
    kind = next((each for each in _FLOATS if h5py.h5t.py_create(np.dtype(each)) == found.id.get_type()), None)
    if kind is None:
        raise FileError(f"{where}: holds {found.dtype}; expected float32 or float64.")
    shape = check_shape(found.shape, where)
    with np.errstate(over="ignore"):
        array = np.array(raw.view(kind), dtype=np.float32).reshape(shape)
    check_finite(array, where)
    array.flags.writeable = False
    return array
