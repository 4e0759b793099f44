"""Reads untrusted HDF5 files: HDF5 reports their structure, which is checked before any number is read.

Links, data sets that are virtual, external, chunked or compressed, and sizes beyond the end of the file are errors.
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
"""The exceptions that h5py raises for damaged files, depending on the damaged structure."""


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[tuple[BinaryIO, Any]]:
    """The open file and its `h5py.File`; an exception of HDF5 inside the block becomes a `FileError`.

    Both use the same open file, so a file that is renamed to `path` in the meantime does no harm.
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
    """The error for a damaged file."""
    return FileError(f"{path}: is cut short, damaged or was altered ({reason}); get or make it again.")


def content_of(stream: BinaryIO) -> Array:
    """The bytes of the file, mapped into memory, or read if the file system does not support mapping."""
    try:
        return np.memmap(stream, dtype=np.uint8, mode="r").view(np.ndarray)
    except OSError:
        stream.seek(0)
        return np.frombuffer(stream.read(), dtype=np.uint8)


def data_set(path: str | os.PathLike[str], content: Array, where: Any, name: str) -> tuple[Any, Array]:
    """Data set `name` of the group `where`, and its bytes. Raises `FileError` if the data set is not safe to read."""
    import h5py

    if not isinstance(where.get(name, getlink=True), h5py.HardLink):
        raise damaged(path, f"{name!r} is missing or a link")
    found = where[name]
    if not isinstance(found, h5py.Dataset) or found.shape is None:
        raise damaged(path, f"{name!r} is not a data set")
    layout = found.id.get_create_plist()
    if layout.get_layout() != h5py.h5d.CONTIGUOUS or layout.get_external_count() or layout.get_nfilters():
        raise damaged(path, f"data set {name!r} is not stored in one piece inside the file")
    size = math.prod(found.shape) * found.id.get_type().get_size()
    offset = found.id.get_offset() if size else 0
    if offset is None or offset + size > len(content):
        raise damaged(path, f"data set {name!r} extends beyond the end of the file")
    return found, content[offset : offset + size]


def is_hdf5(path: str | os.PathLike[str]) -> bool:
    """Whether the file begins with HDF5's signature. Raises `FileError` if it cannot be read."""
    with reading(path) as stream:
        return stream.read(len(_SIGNATURE)) == _SIGNATURE
