"""The folder of a run: who uses it, what lies in it, and its logs."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from fcnlite.errors import FileError, TrainingError
from fcnlite.files import atomic_write, cannot_read, read_text, remove_leftovers

COLUMNS = ("iteration", "loss", "rate", "gradient_norm", "weight_norm", "mean_iu")
"""Of log.csv."""
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
    "stages.json",
)
"""What a run leaves in its folder; the last, beside the folders of its stages, if it is one in stages."""
_LOCK = ".lock"
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
        """A row for each iteration."""
        return self.path / "log.csv"

    @property
    def checks(self) -> Path:
        """A line of JSON for each validation: all figures, the IU of each class, norms by layer."""
        return self.path / "log.jsonl"

    @property
    def speed(self) -> Path:
        """A line of JSON for each validation: how long it took to get there. The only log that no two runs share."""
        return self.path / "speed.jsonl"

    @property
    def data(self) -> Path:
        """The fingerprint of the data that it is trained on."""
        return self.path / "data.json"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def stages(self) -> Path:
        return self.path / "stages.json"

    def holds_run(self) -> bool:
        return any((self.path / name).exists() for name in RESULTS)

    def others(self) -> list[str]:
        """The names in the folder that no run has made; not hidden ones and empty folders."""
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
        """Make the folder and hold it, until the block or the process ends, against other runs.

        Removes the temporary files of a run that was killed, and what it made where the block fails before a run began.
        Raises `TrainingError` where another process holds the folder, `FileError` where it cannot be made or cleaned.
        """
        made = not self.path.exists()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = (self.path / _LOCK).open("w")
        except OSError as error:
            raise FileError(f"{self.path}: cannot be made a run folder ({error.strerror or error}).") from error
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
                        self.path.rmdir()

    def start(self) -> None:
        """Write logs without rows and remove what an earlier run left; last.h5, data.json and files of others stay.

        Raises `FileError` where that cannot be done.
        """
        for path, content in ((self.log, _HEADER), (self.checks, b"")):
            with atomic_write(path) as temporary:
                temporary.write_bytes(content)
        self.clear(keep=(self.last, self.data, self.log, self.checks))

    def clear(self, keep: Collection[Path] = ()) -> None:
        """Remove all results but those to `keep`. Raises `FileError` for one that stays."""
        for name in RESULTS:
            if self.path / name not in keep:
                try:
                    (self.path / name).unlink(missing_ok=True)
                except OSError as error:
                    raise FileError(f"{self.path / name}: cannot be removed ({error.strerror or error}).") from error

    def cut_logs(self, log_size: int, checks_size: int, iteration: int) -> None:
        """Cut the logs back to the bytes that they had after `iteration`.

        Raises `TrainingError` where one is missing or is not the one that had them.
        """
        self._cut(self.log, log_size, _HEADER, b"%d," % iteration, f"with iteration {iteration} at the end")
        last_check = b'{"iteration": ' if checks_size else b""
        self._cut(self.checks, checks_size, b"", last_check, "with a validation at the end")

    def _cut(self, path: Path, size: int, begins: bytes, last_row_begins: bytes, described: str) -> None:
        mend = f"put the run's own log back, or start anew with --overwrite --init {self.last}"
        try:
            with path.open("rb+") as stream:
                found = os.fstat(stream.fileno()).st_size
                if found < size:
                    raise TrainingError(f"{path}: has {found} bytes, but {self.last} counts on {size}; {mend}.")
                kept = stream.read(size)
                last_row = kept.removesuffix(b"\n").rpartition(b"\n")[2]
                whole = not kept or kept.endswith(b"\n")
                if not (kept.startswith(begins) and whole and last_row.startswith(last_row_begins)):
                    raise TrainingError(
                        f"{path}: is not the log that {self.last} counts on, {described} of its first {size} bytes; "
                        f"{mend}."
                    )
                stream.truncate(size)
        except FileNotFoundError as error:
            raise TrainingError(f"{path}: is missing, but {self.last} counts on it; {mend}.") from error
        except OSError as error:
            raise cannot_write(path, error) from error

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

    def read_checks(self) -> list[dict[str, Any]]:
        """The lines of log.jsonl. Raises `FileError` for what no run has written."""
        return _read_lines(self.checks, _is_check)

    def read_speed(self) -> list[dict[str, Any]]:
        """The lines of speed.jsonl. Raises `FileError` for what no run has written."""
        return _read_lines(self.speed, _is_speed)


class Log:
    """Appends to a run's logs.

    What cannot be written, for the disk is full, is kept and written with what comes next. Raises `FileError` where a
    log cannot be opened.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._rows, self._checks, self._speed = map(_Appending, (folder.log, folder.checks, folder.speed))

    def write(self, row: Sequence[float]) -> None:
        """Add a row of `COLUMNS` to log.csv; NaN leaves its field empty."""
        self._rows.write(_row(*row))

    def write_check(self, check: Mapping[str, Any]) -> None:
        """Add a line to log.jsonl."""
        self._checks.write(_line(check))

    def write_speed(self, speed: Mapping[str, Any]) -> None:
        """Add a line to speed.jsonl."""
        self._speed.write(_line(speed))

    def sync(self) -> tuple[int, int]:
        """Bring all of log.csv and log.jsonl onto the disk; returns their bytes. Raises `FileError`."""
        return self._rows.sync(), self._checks.sync()

    def close(self) -> None:
        for each in (self._rows, self._checks, self._speed):
            each.close()


class _Appending:
    """A file that lines are added to, as soon as there is room for them.

    Half a line at its end, which a full disk leaves, is cut off first.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting = b""
        try:
            self._stream = path.open("ab+", buffering=0)
            self._stream.seek(0)
            content = self._stream.read()
            self._stream.truncate(content.rfind(b"\n") + 1)
        except OSError as error:
            raise cannot_write(path, error) from error

    def write(self, content: bytes) -> None:
        self._waiting += content
        with suppress(OSError):  # `sync` tells of it
            self._flush()

    def sync(self) -> int:
        """Bring everything onto the disk; returns the bytes of the file. Raises `FileError`."""
        try:
            self._flush()
            os.fsync(self._stream.fileno())
        except OSError as error:
            raise cannot_write(self._path, error) from error
        return self._stream.tell()

    def close(self) -> None:
        self._stream.close()

    def _flush(self) -> None:
        while self._waiting:
            self._waiting = self._waiting[self._stream.write(self._waiting) :]


def _read_lines(path: Path, fits: Callable[[Any], bool]) -> list[dict[str, Any]]:
    try:
        lines = [json.loads(line) for line in read_text(path).splitlines()]
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path}: is not the log of a training ({error}); put the run's own back.") from error
    for number, line in enumerate(lines, start=1):
        if not fits(line):
            raise FileError(f"{path}: is not the log of a training (line {number}); put the run's own back.")
    return lines


def _is_check(line: Any) -> bool:
    """Whether a line of log.jsonl has the figures that the report shows, if it has any."""
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
    """Shortest texts that read back as the same numbers."""
    texts = [str(iteration), *("" if math.isnan(value) else repr(float(value)) for value in values)]
    return (",".join(texts) + "\n").encode()


def _line(values: Mapping[str, Any]) -> bytes:
    return (json.dumps(values) + "\n").encode()


def _is_empty(folder: Path) -> bool:
    """Whether a folder holds hidden files at most."""
    return all(each.name.startswith(".") for each in folder.iterdir())


def cannot_write(path: Path, error: OSError) -> FileError:
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
