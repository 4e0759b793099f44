"""Whole files of bounded size."""

from __future__ import annotations

import os
from pathlib import Path

from fcnlite.errors import FileError
from fcnlite.files import cannot_read


def read_bounded(path: str | os.PathLike[str], limit: int) -> bytes:
    """The content of `path`. A missing, unreadable or larger file (`limit` in bytes) is a `FileError`."""
    try:
        with Path(path).open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            if size > limit:
                raise FileError(f"{path}: has {size:,} bytes; files of this kind may have at most {limit:,}.")
            return stream.read(size)
    except OSError as error:
        raise cannot_read(path, error) from error
