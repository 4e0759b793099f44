"""Reads files, and writes them completely or not at all."""

from __future__ import annotations

import mmap
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from fcnlite.arrays import Array
from fcnlite.errors import FileError


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`; rename it to `path` if the block succeeds.

    A reader sees the old file or the new one, never a part, even after a crash (the data are synced before the
    rename). An `OSError` (a full disk, a missing or forbidden folder) becomes a `FileError`; the temporary file is
    removed, and an earlier file at `path` is unchanged.
    """
    target = Path(path)
    temporary: Path | None = None
    try:
        try:
            handle, name = tempfile.mkstemp(target.suffix, f".{target.name}.", target.parent)
        except ValueError as error:
            raise _no_name(path, error) from error
        os.close(handle)
        temporary = Path(name)
        temporary.chmod(0o666 & ~_umask())
        yield temporary
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        temporary.replace(target)
    except OSError as error:
        reason = error.strerror or str(error)
        message = f"{target}: cannot be written ({reason}); an earlier file there is unchanged."
        raise FileError(message) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def remove_leftovers(path: str | os.PathLike[str]) -> None:
    """Remove the temporary files of killed writes to `path`. No other process may be writing it.

    Raises `FileError` for a file that cannot be removed.
    """
    target = Path(path)
    # The names that mkstemp makes from the prefix and suffix of atomic_write.
    leftover = re.compile(rf"\.{re.escape(target.name)}\.[a-z0-9_]{{8}}{re.escape(target.suffix)}")
    try:
        with os.scandir(target.parent) as entries:
            for entry in entries:
                if leftover.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                    Path(entry.path).unlink(missing_ok=True)
    except OSError as error:
        raise FileError(f"{error.filename}: cannot be removed ({error.strerror or error}).") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def reading(path: str | os.PathLike[str], buffering: int = -1) -> Iterator[BinaryIO]:
    """The open file. Raises `FileError` if it is missing or unreadable, also later in the block."""
    try:
        with Path(path).open("rb", buffering) as stream:
            yield stream
    except OSError as error:
        raise cannot_read(path, error) from error
    except (ValueError, UnicodeError) as error:
        if _is_name(path):
            raise
        raise _no_name(path, error) from error


def _is_name(path: str | os.PathLike[str]) -> bool:
    """Whether this can be the name of a file: without NUL bytes and halves of surrogate pairs."""
    try:
        return b"\0" not in os.fsencode(path)
    except ValueError:
        return False


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The content of `path`. Raises `FileError` for a missing or unreadable file."""
    with reading(path) as stream:
        return stream.read()


def read_text(path: str | os.PathLike[str]) -> str:
    """The UTF-8 text of `path`, without a byte-order mark. Raises `FileError` if it cannot be read as such."""
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(f"{path}: is not a text file (byte {error.start} is not UTF-8).") from error


def beside(path: str | os.PathLike[str], name: str) -> Path:
    """The file `name` that the file `path` refers to: in the same folder, or else in the working directory.

    Raises `FileError` if it is in neither.
    """
    candidates = [Path(path).parent / name, Path(name)]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise FileError(f"{path}: {name!r}, which it names, is not at {' nor at '.join(map(str, candidates))}.")


def cannot_read(path: str | os.PathLike[str], error: OSError) -> FileError:
    """The `FileError` that says why `path` cannot be read."""
    if isinstance(error, FileNotFoundError):
        return FileError(f"{path}: no such file; check the path.")
    return FileError(f"{path}: cannot be read ({error.strerror or error}).")


def _no_name(path: str | os.PathLike[str], error: ValueError) -> FileError:
    """The error for a path with a NUL byte or half a surrogate pair, which a malicious file can contain."""
    return FileError(f"{str(path)!r}: cannot be the name of a file ({error}).")


def release(array: Array) -> None:
    """Release the memory of an array that is mapped from a file; a later read gets it from the file again.

    Does nothing for other arrays.
    """
    base: Any = array
    writeable = False  # whether the array or one that it views is writable, and so may differ from the file
    while isinstance(base, np.ndarray):
        writeable = writeable or base.flags.writeable
        base = base.base
    if not isinstance(base, mmap.mmap) or writeable or not hasattr(base, "madvise"):
        return
    start = array.ctypes.data - np.frombuffer(base, np.uint8).ctypes.data
    first = -(-start // mmap.PAGESIZE) * mmap.PAGESIZE
    whole = (start + array.nbytes) // mmap.PAGESIZE * mmap.PAGESIZE - first
    if whole > 0:
        base.madvise(mmap.MADV_DONTNEED, first, whole)
