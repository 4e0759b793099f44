"""The folder of a run: its files, its lock and its logs."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from fcnlite.errors import FileError, TrainingError, brief
from fcnlite.files import atomic_write, cannot_read, cannot_write, open_in_place, read_text, remove_leftovers

COLUMNS = ("iteration", "loss", "rate", "gradient_norm", "weight_norm", "mean_iu")
"""The columns of log.csv."""
RESULTS = (
    "best.h5",
    "last.h5",
    "log.csv",
    "log.jsonl",
    "speed.jsonl",
    "report.html",
    "curves.png",
    "samples.png",
    "overlay.png",
    "confusion.png",
    "data.json",
    "run.toml",
    "stages.json",
)
"""The files of a run in its folder. A run of several stages has only the last one, beside a folder for each stage."""
_LOCK = ".lock"
_HEADER = (",".join(COLUMNS) + "\n").encode()


class RunFolder:
    """The folder of a run, which one process at a time may use."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def last(self) -> Path:
        """The latest checkpoint, from which the run can be resumed."""
        return self.path / "last.h5"

    @property
    def best(self) -> Path:
        """The weights with the best score on the validation split."""
        return self.path / "best.h5"

    @property
    def log(self) -> Path:
        """A log with a row for each iteration."""
        return self.path / "log.csv"

    @property
    def checks(self) -> Path:
        """A log with a line of JSON for each validation: all metrics, the IU of each class, norms by layer."""
        return self.path / "log.jsonl"

    @property
    def speed(self) -> Path:
        """A log with a line of JSON for each validation: the time since the one before. Equal runs differ in it."""
        return self.path / "speed.jsonl"

    @property
    def data(self) -> Path:
        """The fingerprint of the training and validation data."""
        return self.path / "data.json"

    @property
    def config(self) -> Path:
        """The options of the run, which --config reads."""
        return self.path / "run.toml"

    @property
    def report(self) -> Path:
        """The page that shows the run."""
        return self.path / "report.html"

    @property
    def stages(self) -> Path:
        """The plan of a run of several stages."""
        return self.path / "stages.json"

    def holds_run(self) -> bool:
        """Whether the folder has any file of a run."""
        return any((self.path / name).exists() for name in RESULTS)

    def resumable(self) -> bool:
        """Whether the folder has a checkpoint, or the plan of a run of several stages."""
        return self.last.exists() or self.stages.exists()

    def check_free(self) -> None:
        """Raise `TrainingError` where the folder holds other files but no run."""
        others = self._others()
        if others and not self.holds_run():
            shown = ", ".join(others[:5]) + (f" and {len(others) - 5} more" if len(others) > 5 else "")
            raise TrainingError(
                f"{self.path}: holds {shown}, but no run; choose a new folder for --out, such as {self.path / 'run'}."
            )

    def _others(self) -> list[str]:
        """The names in the folder that are not of a run, without hidden files and empty folders."""
        if not self.path.is_dir():
            return []
        try:
            entries = sorted(self.path.iterdir())
            visible = [each for each in entries if not each.name.startswith(".") and each.name not in RESULTS]
            return [each.name for each in visible if not (each.is_dir() and _is_empty(each))]
        except OSError as error:
            raise cannot_read(self.path, error) from error

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Make the folder and lock it against other runs, until the block or the process ends.

        Removes the temporary files of a killed run, and at the end the folders that were made here, if the block leaves
        them empty. Raises `TrainingError` where another process holds the lock, `FileError` where the folder cannot be
        made or cleaned.
        """
        made = [each for each in (self.path, *self.path.parents) if not each.exists()]
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = open_in_place(self.path / _LOCK, "a")
        except OSError as error:
            raise FileError(
                f"{self.path}: cannot become a run folder ({error.strerror or error}); choose another --out."
            ) from error
        if not os.access(self.path, os.W_OK | os.X_OK):
            lock.close()
            raise FileError(f"{self.path}: no files can be made in this folder; get the permission to write there.")
        with lock:
            if not _lock(lock):
                raise TrainingError(
                    f"{self.path}: another training is running in this folder; wait for it, or choose another --out."
                )
            for name in RESULTS:
                remove_leftovers(self.path / name)
            try:
                yield
            finally:
                with suppress(OSError):
                    if made and {each.name for each in self.path.iterdir()} == {_LOCK}:
                        (self.path / _LOCK).unlink()
                        for each in made:
                            each.rmdir()

    def start(self) -> None:
        """Write empty logs and remove the other results of an earlier run, except last.h5 and data.json.

        Files that are not results stay. Raises `FileError` where a file cannot be written or removed.
        """
        for path, content in ((self.log, _HEADER), (self.checks, b"")):
            with atomic_write(path) as temporary:
                temporary.write_bytes(content)
        self.clear(keep=(self.last, self.data, self.log, self.checks))

    def clear(self, keep: Collection[Path] = ()) -> None:
        """Remove all results except those to `keep`. Raises `FileError` for a file that cannot be removed."""
        for name in RESULTS:
            if self.path / name not in keep:
                try:
                    (self.path / name).unlink(missing_ok=True)
                except OSError as error:
                    raise FileError(f"{self.path / name}: cannot be removed ({error.strerror or error}).") from error

    def cut_logs(self, log_size: int, checks_size: int, iteration: int) -> None:
        """Truncate the logs to the sizes, in bytes, that they had after `iteration`.

        Raises `TrainingError` where a log is missing or is not the log that had this size.
        """
        self._cut(self.log, log_size, _HEADER, b"%d," % iteration, f"with iteration {iteration} at the end")
        last_check = b'{"iteration": ' if checks_size else b""
        self._cut(self.checks, checks_size, b"", last_check, "with a validation at the end")

    def _cut(self, path: Path, size: int, begins: bytes, last_row_begins: bytes, described: str) -> None:
        remedy = f"put the run's own log back, or start again with --overwrite --init {self.last}"
        try:
            with open_in_place(path, "rb+") as stream:
                found = os.fstat(stream.fileno()).st_size
                if found < size:
                    raise TrainingError(f"{path}: has {found} bytes, but {self.last} relies on {size}; {remedy}.")
                kept = stream.read(size)
                last_row = kept.removesuffix(b"\n").rpartition(b"\n")[2]
                whole = not kept or kept.endswith(b"\n")
                if not (kept.startswith(begins) and whole and last_row.startswith(last_row_begins)):
                    raise TrainingError(
                        f"{path}: is not the log that {self.last} relies on, {described} of its first {size} bytes; "
                        f"{remedy}."
                    )
                stream.truncate(size)
        except FileNotFoundError as error:
            raise TrainingError(f"{path}: is missing, but {self.last} relies on it; {remedy}.") from error
        except OSError as error:
            raise cannot_write(path, error) from error

    def read_log(self) -> dict[str, list[float]]:
        """Read the columns of log.csv, NaN where a field is empty. Raises `FileError`."""
        columns: dict[str, list[float]] = {name: [] for name in COLUMNS}
        try:
            with self.log.open(newline="") as stream:
                for row in csv.DictReader(stream):
                    for name in COLUMNS:
                        columns[name].append(float(row.get(name) or math.nan))
        except OSError as error:
            raise cannot_read(self.log, error) from error
        except (ValueError, csv.Error) as error:
            raise FileError(
                f"{self.log}: is not the log of a training ({brief(error)}); put the run's own back."
            ) from error
        return columns

    def read_checks(self) -> list[dict[str, Any]]:
        """Read the lines of log.jsonl. Raises `FileError` for lines that no run has written."""
        return _read_lines(self.checks, _is_check)

    def read_speed(self) -> list[dict[str, Any]]:
        """Read the lines of speed.jsonl. Raises `FileError` for lines that no run has written."""
        return _read_lines(self.speed, _is_speed)


class TrainingLog:
    """Appends to the logs of a run.

    Lines that do not fit on a full disk wait and are written with the next ones. Raises `FileError` where a log cannot
    be opened.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._rows, self._checks, self._speed = map(_Appending, (folder.log, folder.checks, folder.speed))

    def write(self, row: Sequence[float]) -> None:
        """Append a row of `COLUMNS` to log.csv; NaN becomes an empty field."""
        self._rows.write(_row(*row))

    def write_check(self, check: Mapping[str, Any]) -> None:
        """Append a line to log.jsonl."""
        self._checks.write(_line(check))

    def write_speed(self, speed: Mapping[str, Any]) -> None:
        """Append a line to speed.jsonl."""
        self._speed.write(_line(speed))

    def sync(self) -> tuple[int, int]:
        """Flush log.csv and log.jsonl to the disk and return their sizes in bytes. Raises `FileError`."""
        return self._rows.sync(), self._checks.sync()

    def close(self) -> None:
        """Close all logs."""
        for each in (self._rows, self._checks, self._speed):
            each.close()


class _Appending:
    """A file that lines are appended to, as soon as the disk has room for them.

    An incomplete last line, which a full disk leaves, is removed first. If the file is removed or replaced, it is
    written again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting = b""
        try:
            self._stream = self._open()
            content = self._content()
            self._stream.truncate(content.rfind(b"\n") + 1)
        except OSError as error:
            raise cannot_write(path, error) from error

    def write(self, content: bytes) -> None:
        self._waiting += content
        with suppress(OSError):  # `sync` reports it
            self._flush()

    def sync(self) -> int:
        """Flush to the disk and return the size of the file in bytes. Raises `FileError`."""
        try:
            self._flush()
            if not self._is_there():
                with atomic_write(self._path) as temporary:
                    temporary.write_bytes(self._content())
                self._stream.close()
                self._stream = self._open()
            os.fsync(self._stream.fileno())
        except OSError as error:
            raise cannot_write(self._path, error) from error
        return self._stream.tell()

    def close(self) -> None:
        self._stream.close()

    def _open(self) -> Any:
        stream = open_in_place(self._path, "ab+", buffering=0)
        stream.seek(0, os.SEEK_END)
        return stream

    def _content(self) -> bytes:
        """All that was written, also to a file that was removed."""
        self._stream.seek(0)
        content: bytes = self._stream.read()
        return content

    def _is_there(self) -> bool:
        """Whether the path still leads to the file that is written to."""
        try:
            return os.path.samestat(self._path.lstat(), os.fstat(self._stream.fileno()))
        except FileNotFoundError:
            return False

    def _flush(self) -> None:
        while self._waiting:
            self._waiting = self._waiting[self._stream.write(self._waiting) :]


def _read_lines(path: Path, fits: Callable[[Any], bool]) -> list[dict[str, Any]]:
    try:
        lines = [json.loads(line) for line in read_text(path).splitlines()]
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path}: is not the log of a training ({brief(error)}); put the run's own back.") from error
    for number, line in enumerate(lines, start=1):
        if not fits(line):
            raise FileError(f"{path}: is not the log of a training (line {number}); put the run's own back.")
    return lines


def _is_check(line: Any) -> bool:
    """Whether a line of log.jsonl has the types that the report expects."""
    match line:
        case {"iteration": int()}:
            figures = [line.get(name) for name in ("mean_iu", "pixel_accuracy", "mean_accuracy")]
            iu = line.get("iu", [])
            return isinstance(iu, list) and all(each is None or type(each) is float for each in (*figures, *iu))
    return False


def _is_speed(line: Any) -> bool:
    match line:
        case {"iterations": int(), "seconds": int() | float(), "checking": int() | float(), "waited": int() | float()}:
            return True
    return False


def _row(iteration: float, *values: float) -> bytes:
    """A CSV row with the shortest texts that read back as the same numbers."""
    texts = [str(iteration), *("" if math.isnan(value) else repr(float(value)) for value in values)]
    return (",".join(texts) + "\n").encode()


def _line(values: Mapping[str, Any]) -> bytes:
    return (json.dumps(values) + "\n").encode()


def _is_empty(folder: Path) -> bool:
    """Whether a folder holds nothing but hidden files."""
    return all(each.name.startswith(".") for each in folder.iterdir())


def _lock(stream: IO[str]) -> bool:
    """Lock an open file for this process; False if another process holds the lock."""
    try:
        import fcntl
    except ImportError:  # Windows has no fcntl: there nothing prevents two runs in one folder
        return True
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    os.set_inheritable(stream.fileno(), False)
    return True
