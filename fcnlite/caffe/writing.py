"""Files that belong together, and weights in Caffe's HDF5 layout."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fcnlite.errors import FileError
from fcnlite.files import atomic_write

Array = np.ndarray[Any, np.dtype[Any]]


def hdf5_bytes(path: str | os.PathLike[str], params: Mapping[str, Sequence[Array]]) -> bytes:
    """Parameters as Caffe's HDF5 has them: the group `data`, in it one group a layer with the data sets 0, 1, ...

    An array that layers share is kept once and linked to; Caffe keeps it with the layer that has it first, which in
    another phase may be another layer. Raises `FileError`, naming `path`, for names that Caffe would not find there.
    """
    import h5py

    # Built in memory: a full disk leaves HDF5 with a file that it cannot close, and it then crashes at exit.
    memory = io.BytesIO()
    written: dict[int, Any] = {}
    with h5py.File(memory, "w") as file:
        data = file.create_group("data")
        for layer, arrays in params.items():
            if "/" in layer or layer in ("", "."):
                raise FileError(
                    f"{path}: layer {layer!r} cannot be a group of Caffe's HDF5, which takes a slash for a group in a "
                    "group; save to a .caffemodel."
                )
            group = data.create_group(layer)
            for index, array in enumerate(arrays):
                if id(array) not in written:
                    written[id(array)] = group.create_dataset(str(index), data=np.asarray(array, dtype="<f4"))
                else:
                    group[str(index)] = written[id(array)]
    return memory.getvalue()


def write_together(files: Sequence[tuple[str | os.PathLike[str], bytes]]) -> None:
    """Write all of the files or none: each takes its place only once all are on the disk. Raises `FileError`."""
    places = [Path(path).resolve() for path, _ in files]
    for index, (path, place) in enumerate(zip((path for path, _ in files), places, strict=True)):
        if place.is_dir():
            raise FileError(f"{path}: is a folder; expected the name of a file.")
        if place in places[:index]:
            raise FileError(f"{path}: is given for two files; give them different names.")
    _write(files)


def _write(files: Sequence[tuple[str | os.PathLike[str], bytes]]) -> None:
    if files:
        (path, content), *others = files
        with atomic_write(path) as temporary:
            temporary.write_bytes(content)
            _write(others)
