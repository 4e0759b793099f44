"""Read and write files: writes are atomic, and every failure is a `FileError`."""

from __future__ import annotations

import errno
import mmap
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from fcnlite.arrays import Array
from fcnlite.errors import FileError, brief

NPY = b"\x93NUMPY"
"""The first bytes of a `.npy` file."""


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`, and rename it to `path` when the block ends without an error.

    A reader sees the old file or the complete new one, even after a crash, because the data are synced before the
    rename. An error removes the temporary file and leaves an old file unchanged. An `OSError`, such as a full disk or a
    missing folder, becomes a `FileError`.
    """
    target = Path(path)
    # Named before it is made, so that it is removed wherever a signal ends the block.
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}{target.suffix}") if target.name else target
    try:
        try:
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except ValueError as error:
            raise _no_name(path, error) from error
        yield temporary
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        temporary.replace(target)
    except OSError as error:
        raise cannot_write(target, error, "; the file that was there before, if any, is unchanged") from error
    finally:
        with suppress(OSError, ValueError):
            temporary.unlink()


def open_in_place(path: str | os.PathLike[str], mode: str, buffering: int = -1) -> Any:
    """Open a file that is changed in place, such as a log. Raises OSError, also where the name is a symbolic link.

    In a folder that others may write to, a link could lead to any file of the user.
    """

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)

    return open(path, mode, buffering, opener=opener)


def remove_leftovers(path: str | os.PathLike[str]) -> None:
    """Remove the temporary files of writes to `path` that were killed. The caller must be the only writer of `path`.

    Raises `FileError` if one cannot be removed.
    """
    target = Path(path)
    # The names in atomic_write; those of earlier versions had eight letters, digits and underscores.
    leftover = re.compile(rf"\.{re.escape(target.name)}\.([0-9a-f]{{16}}|[a-z0-9_]{{8}}){re.escape(target.suffix)}")
    try:
        with os.scandir(target.parent) as entries:
            for entry in entries:
                if leftover.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                    Path(entry.path).unlink(missing_ok=True)
    except OSError as error:
        raise FileError(f"{error.filename}: cannot be removed ({error.strerror or error}).") from error


def open_regular(path: str | os.PathLike[str], buffering: int = -1) -> BinaryIO:
    """Open a file for reading. Raises OSError, and `FileError` for a pipe or a device, which may never end."""
    mode = Path(path).stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise FileError(f"{path}: is a pipe or a device; expected a file.")
    return Path(path).open("rb", buffering)  # a directory raises OSError


@contextmanager
def reading(path: str | os.PathLike[str], buffering: int = -1) -> Iterator[BinaryIO]:
    """Open a file for reading. Raises `FileError` if it is missing or unreadable, also later in the block."""
    try:
        with open_regular(path, buffering) as stream:
            yield stream
    except OSError as error:
        raise cannot_read(path, error) from error
    except (ValueError, UnicodeError) as error:
        if _is_name(path):
            raise
        raise _no_name(path, error) from error


def _is_name(path: str | os.PathLike[str]) -> bool:
    """Whether a path is valid: without NUL bytes and unpaired surrogates."""
    try:
        return b"\0" not in os.fsencode(path)
    except ValueError:
        return False


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The content of `path`. Raises `FileError` if it is missing or unreadable."""
    with reading(path) as stream:
        return stream.read()


def read_text(path: str | os.PathLike[str]) -> str:
    """The text of `path`, without a byte-order mark. Raises `FileError` if it is missing, unreadable or binary."""
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(f"{path}: is not a text file (byte {error.start} is not UTF-8).") from error


def read_npy(path: str | os.PathLike[str]) -> Array:
    """The array in a `.npy` file, as a read-only mapping. Raises `FileError` for other files and pickles."""
    with reading(path) as stream:
        if stream.read(len(NPY)) != NPY:
            raise FileError(f"{path}: is not a .npy file; save one with numpy.save.")
    try:
        found: Array = np.load(path, mmap_mode="r", allow_pickle=False)
        return found
    except Exception as error:  # NumPy raises a dozen types for damaged headers
        raise FileError(f"{path}: is not a readable .npy file of numbers ({brief(error)}).") from error


class MappedFile(mmap.mmap):
    """A file that is mapped for reading, and its size and time at that moment."""

    path: str
    state: tuple[int, ...]

    @staticmethod
    def of(path: str | os.PathLike[str], stream: BinaryIO) -> MappedFile:
        """Map the file `path`, open as `stream`. Raises OSError where it cannot be mapped."""
        mapped = MappedFile(stream.fileno(), 0, access=mmap.ACCESS_READ)
        mapped.path, mapped.state = os.fspath(path), _state(os.fstat(stream.fileno()))
        return mapped

    def bytes(self) -> Array:
        """The content, read-only."""
        return np.ndarray(len(self), np.uint8, self)

    def check(self) -> None:
        """Raise `FileError` if the file was written to since it was mapped.

        Reading beyond the end of a file that was cut would end the process. A file that was replaced by another one or
        deleted is as it was for those that have mapped it.
        """
        try:
            now = _state(os.stat(self.path))  # noqa: PTH116 - takes half the time of Path.stat
        except OSError:
            return
        if now[:2] == self.state[:2] and now != self.state:
            raise FileError(
                f"{self.path}: was written to while a net uses it, so that the net's weights are lost; load it again, "
                "and replace weight files by renaming a new file, as Net.save does."
            )


def _state(found: os.stat_result) -> tuple[int, ...]:
    """What identifies a file (device and inode), and what changes with its content."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def mapping_of(array: Array) -> MappedFile | None:
    """The mapped file that an array is a part of, or None."""
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    return base if isinstance(base, MappedFile) else None


def is_file(path: str | os.PathLike[str]) -> bool:
    """Whether `path` is a file. `Path.is_file` raises OSError for names that are too long, which a file may contain."""
    return os.path.isfile(path)  # noqa: PTH113


def exists(path: str | os.PathLike[str]) -> bool:
    """Whether `path` exists; False for names that no file can have, as `is_file`."""
    return os.path.exists(path)  # noqa: PTH110


def beside(path: str | os.PathLike[str], name: str) -> Path:
    """The path of the file `name`, which the file `path` names: in the same folder, else in the working directory.

    Raises `FileError` if neither exists.
    """
    candidates = [Path(path).parent / name, Path(name)]
    for candidate in candidates:
        if is_file(candidate):
            return candidate
    places = " nor at ".join(brief(each) for each in candidates)
    raise FileError(f"{path}: {brief(name)!r}, which it names, is not at {places}.")


def cannot_read(path: str | os.PathLike[str], error: OSError) -> FileError:
    """A `FileError` that says why `path` cannot be read."""
    if isinstance(error, FileNotFoundError):
        return FileError(f"{path}: no such file; check the path.")
    return FileError(f"{path}: cannot be read ({error.strerror or error}).")


_REMEDIES = {
    errno.ENOSPC: "free some space on its disk",
    errno.EDQUOT: "free some of the space that you may use on its disk",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f)",
    errno.EACCES: "get the permission to write there, or choose another place",
    errno.EPERM: "get the permission to write there, or choose another place",
    errno.EROFS: "choose a place on a disk that can be written to",
    errno.ENOENT: "make its folder first",
    errno.ENOTDIR: "make its folder first",
}
"""What to do, by the reason why a file cannot be written."""


def cannot_write(path: str | os.PathLike[str], error: OSError, kept: str = "") -> FileError:
    """A `FileError` that says why `path` cannot be written, what to do, and what is `kept`."""
    remedy = _REMEDIES.get(error.errno or 0)
    return FileError(f"{path}: cannot be written ({error.strerror or error}){f'; {remedy}' if remedy else ''}{kept}.")


def _no_name(path: str | os.PathLike[str], error: ValueError) -> FileError:
    """A `FileError` for an invalid path, which an untrusted file may contain."""
    return FileError(f"{str(path)!r}: cannot be the name of a file ({error}).")


def release(array: Array) -> None:
    """Release the memory of an array that is mapped from a file; the next access reads it from the file again.

    Does nothing for other arrays.
    """
    base: Any = array
    writeable = False  # whether the array, or one that it is a view of, may differ from the file
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
