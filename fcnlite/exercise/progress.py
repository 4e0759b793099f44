"""Which exercises have passed: a small file beside the student's files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from fcnlite.exercise.exercise import Exercise
from fcnlite.files import atomic_write, read_bytes

FILE = "progress.json"


def record(exercise: Exercise, path: Path, passed: bool) -> None:
    """Note beside `path` that this version of the file has passed, or that it has not. Raises `FileError`."""
    known = _read(path.parent)
    if passed:
        known[exercise.name] = _digest(path)
    elif exercise.name not in known:
        return
    else:
        del known[exercise.name]
    with atomic_write(path.parent / FILE) as temporary:
        temporary.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


def state(exercise: Exercise, folder: Path) -> str:
    """`passed`, `passed, then changed`, `started`, or nothing. Raises `FileError` if a file cannot be read."""
    path = folder / f"{exercise.name}.py"
    passed = _read(folder).get(exercise.name)
    if not path.exists():
        return "passed" if passed else ""
    if passed is None:
        return "started"
    return "passed" if passed == _digest(path) else "passed, then changed"


def _digest(path: Path) -> str:
    return hashlib.sha256(read_bytes(path)).hexdigest()


def _read(folder: Path) -> dict[str, str]:
    """The digest of each file that has passed; empty if the file is missing or damaged."""
    path = folder / FILE
    if not path.is_file():
        return {}
    try:
        found = json.loads(read_bytes(path))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
