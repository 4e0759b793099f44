"""The folder of a run: who uses it, what lies in it, and its log."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from fcnlite.errors import FileError, TrainingError
from fcnlite.files import atomic_write, cannot_read, remove_leftovers

COLUMNS = ("iteration", "loss", "rate", "mean_iu")
RESULTS = (
    "best.h5",
    "last.h5",
    "log.csv",
    "curves.png",
    "samples.png",
    "overlay.png",
    "confusion.png",
)
"""What a run leaves in its folder."""
_HEADER = (",".join(COLUMNS) + "\n").encode()


class RunFolder:
    """A folder that one run at a time writes to."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def last(self) -> Path:
        """The newest checkpoint: everything that is needed to go on."""
        return self.path / "last.h5"

    @property
    def best(self) -> Path:
        """The weights that did best on the validation split."""
        return self.path / "best.h5"

    @property
    def log(self) -> Path:
        return self.path / "log.csv"

    def holds_run(self) -> bool:
        return any((self.path / name).exists() for name in RESULTS)

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Make the folder and hold it, until the block or the process ends, against other runs.

        Removes the temporary files of a run that was killed. Raises `TrainingError` where another process holds the
        folder, `FileError` where it cannot be made or cleaned.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = (self.path / ".lock").open("w")
        except OSError as error:
            raise FileError(f"{self.path}: cannot be made a run folder ({error.strerror or error}).") from error
        with lock:
            if not _lock(lock):
                raise TrainingError(
                    f"{self.path}: another training is running in this folder; wait for it, or choose another --out."
                )
            for name in RESULTS:
                remove_leftovers(self.path / name)
            yield

    def start(self) -> None:
        """Write a log without rows and remove what an earlier run left, but for last.h5 and files that are no results.

        Raises `FileError` where that cannot be done.
        """
        with atomic_write(self.log) as temporary:
            temporary.write_bytes(_HEADER)
        for name in RESULTS:
            if self.path / name not in (self.last, self.log):
                try:
                    (self.path / name).unlink(missing_ok=True)
                except OSError as error:
                    raise FileError(f"{self.path / name}: cannot be removed ({error.strerror or error}).") from error

    def cut_log(self, size: int, iteration: int) -> None:
        """Cut the log back to the `size` bytes that it had after `iteration`.

        Raises `TrainingError` where it is missing or is not the one that had them.
        """
        mend = f"put the run's own log back, or start anew with --overwrite --init {self.last}"
        try:
            with self.log.open("rb+") as stream:
                found = os.fstat(stream.fileno()).st_size
                if found < size:
                    raise TrainingError(f"{self.log}: has {found} bytes, but {self.last} counts on {size}; {mend}.")
                kept = stream.read(size)
                last_row = kept.removesuffix(b"\n").rpartition(b"\n")[2]
                ends = kept.endswith(b"\n") and last_row.startswith(b"%d," % iteration)
                if not (kept.startswith(_HEADER) and ends):
                    raise TrainingError(
                        f"{self.log}: is not the log that {self.last} counts on, with iteration {iteration} at the end "
                        f"of its first {size} bytes; {mend}."
                    )
                stream.truncate(size)
        except FileNotFoundError as error:
            raise TrainingError(f"{self.log}: is missing, but {self.last} counts on it; {mend}.") from error
        except OSError as error:
            raise _cannot_write(self.log, error) from error

    def read_log(self) -> dict[str, list[float]]:
        """The log's columns, NaN where a field is empty."""
        columns: dict[str, list[float]] = {name: [] for name in COLUMNS}
        try:
            with self.log.open(newline="") as stream:
                for row in csv.DictReader(stream):
                    for name in COLUMNS:
                        columns[name].append(float(row.get(name) or math.nan))
        except OSError as error:
            raise cannot_read(self.log, error) from error
        except (ValueError, csv.Error) as error:
            raise FileError(f"{self.log}: is not the log of a training ({error}); put the run's own back.") from error
        return columns


class Log:
    """Appends one row an iteration to a run's log. Raises `FileError` where it cannot."""

    def __init__(self, folder: RunFolder) -> None:
        self._path = folder.log
        try:
            self._stream = self._path.open("ab")
        except OSError as error:
            raise _cannot_write(self._path, error) from error

    def write(self, iteration: int, loss: float, rate: float, mean_iu: float) -> None:
        """Add a row; NaN leaves its field empty."""
        try:
            self._stream.write(_row(iteration, loss, rate, mean_iu))
            self._stream.flush()
        except OSError as error:
            raise _cannot_write(self._path, error) from error

    def sync(self) -> int:
        """Bring all rows onto the disk; returns the bytes of the log."""
        try:
            os.fsync(self._stream.fileno())
        except OSError as error:
            raise _cannot_write(self._path, error) from error
        return self._stream.tell()

    def close(self) -> None:
        self._stream.close()


def _row(iteration: int, *values: float) -> bytes:
    """Shortest texts that read back as the same numbers."""
    texts = [str(iteration), *("" if math.isnan(value) else repr(float(value)) for value in values)]
    return (",".join(texts) + "\n").encode()


def _cannot_write(path: Path, error: OSError) -> FileError:
    return FileError(f"{path}: cannot be written ({error.strerror or error}).")


def _lock(stream: IO[str]) -> bool:
    """Lock an open file for this process; False if another one holds it."""
    try:
        import fcntl
    except ImportError:  # not on Windows, where nothing keeps two runs apart
        return True
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    os.set_inheritable(stream.fileno(), False)
    return True
