"""Reads untrusted HDF5 files: HDF5 reports their structure, which is checked before any number is read.

Soft and external links, groups that several paths lead to, data sets that are virtual, external, chunked or compressed,
and sizes beyond the end of the file are errors. So no other file is opened, and the time to read a file is linear in
the number of its objects.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, BinaryIO

import numpy as np

from fcnlite.arrays import Array
from fcnlite.errors import FileError
from fcnlite.files import MappedFile, cannot_read, open_regular, reading

MAX_MEMBERS = 100_000
"""Maximum number of members of a group."""

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_ERRORS = (OSError, LookupError, RuntimeError, ValueError, TypeError, ArithmeticError, MemoryError)
"""The exceptions that h5py raises for damaged files, depending on the damaged structure."""


class HDF5File:
    """An open HDF5 file. Groups are those of h5py; all errors are `FileError`s."""

    def __init__(self, path: str | os.PathLike[str], stream: BinaryIO, root: Any) -> None:
        self.path = path
        self.root = root
        """The `h5py.File`, which is also the outermost group."""
        self._stream = stream
        self._visited = {_address(root)}

    def damaged(self, reason: str) -> FileError:
        """The error for a damaged file."""
        return _damaged(self.path, reason)

    @cached_property
    def content(self) -> Array:
        """The bytes of the file, mapped into memory, or read if the file system does not support mapping."""
        try:
            return MappedFile.of(self.path, self._stream).bytes()
        except OSError:
            self._stream.seek(0)
            return np.frombuffer(self._stream.read(), dtype=np.uint8)

    def names(self, where: Any) -> list[str]:
        """The names in the group `where`. Raises `FileError` for more than `MAX_MEMBERS`."""
        if len(where) > MAX_MEMBERS:
            raise self.damaged(f"the group {str(where.name)[:80]!r} has more than {MAX_MEMBERS:,} members")
        return list(where)

    def holds(self, where: Any, name: str) -> bool:
        """Whether the group `where` has a member `name`. Raises `FileError` if that is a soft or external link."""
        import h5py

        link = where.get(name, getlink=True)
        if link is not None and not isinstance(link, h5py.HardLink):
            raise self.damaged(f"{name[:80]!r} is a link to another place, which is not followed")
        return link is not None

    def is_group(self, where: Any, name: str) -> bool:
        """Whether `name` in the group `where` is a group. Raises `FileError` if it is missing or a link."""
        import h5py

        return self._member(where, name, getclass=True) is h5py.Group

    def group(self, where: Any, name: str) -> Any:
        """The group `name` in the group `where`.

        Raises `FileError` if it is missing, a link, not a group, or was visited before by another path.
        """
        import h5py

        found = self._member(where, name)
        if not isinstance(found, h5py.Group):
            raise self.damaged(f"{name[:80]!r} is not a group")
        if _address(found) in self._visited:
            raise self.damaged(f"several paths lead to the group {name[:80]!r}")
        self._visited.add(_address(found))
        return found

    def data_set(self, where: Any, name: str) -> tuple[Any, Array]:
        """Data set `name` of the group `where`, and its bytes. Raises `FileError` if it is not safe to read."""
        import h5py

        found = self._member(where, name)
        if not isinstance(found, h5py.Dataset) or found.shape is None:
            raise self.damaged(f"{name[:80]!r} is not a data set")
        layout = found.id.get_create_plist()
        if layout.get_layout() != h5py.h5d.CONTIGUOUS or layout.get_external_count() or layout.get_nfilters():
            raise self.damaged(f"data set {name[:80]!r} is not stored in one piece inside the file")
        size = math.prod(found.shape) * found.id.get_type().get_size()
        offset = found.id.get_offset() if size else 0
        if offset is None or offset + size > len(self.content):
            raise self.damaged(f"data set {name[:80]!r} extends beyond the end of the file")
        return found, self.content[offset : offset + size]

    def _member(self, where: Any, name: str, **how: bool) -> Any:
        if not self.holds(where, name):
            raise self.damaged(f"{name[:80]!r} is missing")
        return where.get(name, **how)


def _address(group: Any) -> int:
    """The place of a group in its file, the same for all paths that lead to it."""
    import h5py

    return int(h5py.h5o.get_info(group.id).addr)


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[HDF5File]:
    """Open an HDF5 file; an exception of HDF5 inside the block becomes a `FileError`.

    Structure and numbers are read from the same open file, so a file that is renamed to `path` in the meantime does no
    harm.
    """
    import h5py

    try:
        with open_regular(path) as stream:
            if stream.read(len(_SIGNATURE)) != _SIGNATURE:
                raise FileError(f"{path}: is not an HDF5 file.")
            with h5py.File(stream, "r") as file:
                yield HDF5File(path, stream, file)
    except OSError as error:
        if error.filename is not None:
            raise cannot_read(path, error) from error
        raise _damaged(path, str(error)) from error
    except _ERRORS as error:
        raise _damaged(path, str(error).strip("'")) from error


def _damaged(path: str | os.PathLike[str], reason: str) -> FileError:
    return FileError(f"{path}: is cut short, damaged or was altered ({reason}); get or make it again.")


def is_hdf5(path: str | os.PathLike[str]) -> bool:
    """Whether the file begins with HDF5's signature. Raises `FileError` if it cannot be read."""
    with reading(path) as stream:
        return stream.read(len(_SIGNATURE)) == _SIGNATURE
