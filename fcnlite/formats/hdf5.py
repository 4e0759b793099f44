"""HDF5 files of strangers: what they hold is asked of HDF5, and proved harmless before any number is read.

Refused are links, data sets that are virtual, external, chunked or compressed, and sizes beyond the end of the file.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from fcnlite.arrays import Array
from fcnlite.errors import FileError
from fcnlite.files import cannot_read, reading

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_ERRORS = (OSError, LookupError, RuntimeError, ValueError, TypeError, ArithmeticError, MemoryError)
"""What h5py raises for damaged files, depending on which structure is hit."""


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[tuple[BinaryIO, Any]]:
    """The open file and HDF5's view of it; whatever HDF5 raises inside the block becomes a `FileError`.

    Both are one open file, so that a file renamed onto `path` meanwhile cannot mix with it.
    """
    import h5py

    try:
        with Path(path).open("rb") as stream:
            if stream.read(len(_SIGNATURE)) != _SIGNATURE:
                raise FileError(f"{path}: is not an HDF5 file.")
            with h5py.File(stream, "r") as file:
                yield stream, file
    except OSError as error:
        if error.filename is not None:
            raise cannot_read(path, error) from error
        raise damaged(path, str(error)) from error
    except _ERRORS as error:
        raise damaged(path, str(error).strip("'")) from error


def damaged(path: str | os.PathLike[str], reason: str) -> FileError:
    return FileError(f"{path}: is cut short, damaged or was altered ({reason}); get or make it again.")


def content_of(stream: BinaryIO) -> Array:
    """The bytes of the file: mapped, or read where the file system knows no mapping."""
    try:
        return np.memmap(stream, dtype=np.uint8, mode="r").view(np.ndarray)
    except OSError:
        stream.seek(0)
        return np.frombuffer(stream.read(), dtype=np.uint8)


def data_set(path: str | os.PathLike[str], content: Array, where: Any, name: str) -> tuple[Any, Array]:
    """Data set `name` of a group, once it has proved harmless, and its bytes."""
    import h5py

    if not isinstance(where.get(name, getlink=True), h5py.HardLink):
        raise damaged(path, f"{name!r} is missing or a link")
    found = where[name]
    if not isinstance(found, h5py.Dataset) or found.shape is None:
        raise damaged(path, f"{name!r} is no data set")
    layout = found.id.get_create_plist()
    if layout.get_layout() != h5py.h5d.CONTIGUOUS or layout.get_external_count() or layout.get_nfilters():
        raise damaged(path, f"data set {name!r} is not stored in one piece inside the file")
    size = math.prod(found.shape) * found.id.get_type().get_size()
    offset = found.id.get_offset() if size else 0
    if offset is None or offset + size > len(content):
        raise damaged(path, f"data set {name!r} reaches beyond the end of the file")
    return found, content[offset : offset + size]


def is_hdf5(path: str | os.PathLike[str]) -> bool:
    """Whether the file begins as HDF5 files do. Raises `FileError` where it cannot be read."""
    with reading(path) as stream:
        return stream.read(len(_SIGNATURE)) == _SIGNATURE
