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
from fcnlite.files import atomic_write, cannot_read

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

        Raises `TrainingError` where another process holds it, `FileError` where it cannot be made.
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
            yield

    def clear(self) -> None:
        """Remove what an earlier run left; other files stay."""
        for name in RESULTS:
            try:
                (self.path / name).unlink(missing_ok=True)
            except OSError as error:
                raise FileError(f"{self.path / name}: cannot be removed ({error.strerror or error}).") from error

    def read_log(self, up_to: int | None = None) -> dict[str, list[float]]:
        """The log's columns, NaN where a field is empty; only the first `up_to` iterations if given."""
        columns: dict[str, list[float]] = {name: [] for name in COLUMNS}
        try:
            with self.log.open(newline="") as stream:
                for row in csv.DictReader(stream):
                    values = [float(row.get(name) or math.nan) for name in COLUMNS]
                    if up_to is not None and not values[0] <= up_to:
                        break
                    for name, value in zip(COLUMNS, values, strict=True):
                        columns[name].append(value)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise cannot_read(self.log, error) from error
        except (ValueError, csv.Error) as error:
            raise FileError(f"{self.log}: is not the log of a training ({error}); remove it to go on.") from error
        return columns


class Log:
    """Appends one row an iteration to a run's log, from a given iteration on."""

    def __init__(self, folder: RunFolder, iterations_done: int) -> None:
        kept = folder.read_log(up_to=iterations_done)
        with atomic_write(folder.log) as temporary, temporary.open("w", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(map(_row, zip(*(kept[name] for name in COLUMNS), strict=True)))
        self._path = folder.log
        try:
            self._stream = folder.log.open("a", newline="")
        except OSError as error:
            raise FileError(f"{folder.log}: cannot be written ({error.strerror or error}).") from error
        self._writer = csv.writer(self._stream, lineterminator="\n")

    def write(self, iteration: int, loss: float, rate: float, mean_iu: float) -> None:
        """Add a row; NaN leaves its field empty. Raises `FileError` where the disk takes no more."""
        try:
            self._writer.writerow(_row((iteration, loss, rate, mean_iu)))
            self._stream.flush()
        except OSError as error:
            raise FileError(f"{self._path}: cannot be written ({error.strerror or error}).") from error

    def close(self) -> None:
        self._stream.close()


def _row(values: tuple[float, ...]) -> list[str]:
    """Shortest texts that read back as the same numbers."""
    iteration, *others = values
    return [str(int(iteration)), *("" if math.isnan(value) else repr(float(value)) for value in others)]


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
