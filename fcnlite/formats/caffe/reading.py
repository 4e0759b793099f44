"""Reads whole files up to a size limit."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from fcnlite.errors import FileError
from fcnlite.files import reading


def read_bounded(path: str | os.PathLike[str], limit: int) -> bytes:
    """The content of `path`. Raises `FileError` if it is missing, unreadable or larger than `limit` bytes."""
    with reading(path) as stream:
        return stream.read(_size(path, stream, limit))


@contextmanager
def open_mapped(path: str | os.PathLike[str], limit: int) -> Iterator[tuple[BinaryIO, memoryview]]:
    """The open file, unbuffered, and its content, mapped into memory. Raises `FileError` as `read_bounded` does."""
    with reading(path, buffering=0) as stream:
        size = _size(path, stream, limit)
        if not size:  # an empty file cannot be mapped
            yield stream, memoryview(b"")
            return
        with mmap.mmap(stream.fileno(), size, access=mmap.ACCESS_READ) as content, memoryview(content) as view:
            yield stream, view


def _size(path: str | os.PathLike[str], stream: BinaryIO, limit: int) -> int:
    size = os.fstat(stream.fileno()).st_size
    if size > limit:
        raise FileError(f"{path}: has {size:,} bytes; files of this kind may have at most {limit:,}.")
    return size
