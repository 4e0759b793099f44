"""Reads JSON files of annotations, which may be damaged, huge or hostile."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fcnlite import config
from fcnlite.arrays import Array
from fcnlite.errors import FileError, lacks_memory
from fcnlite.files import cannot_read, read_bytes

_MOST_BYTES = 1 << 30


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises `FileError` for a file that is missing, too large or no JSON object."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise cannot_read(path, error) from error
    if size > _MOST_BYTES:
        raise FileError(f"{path}: has {size} bytes; at most {_MOST_BYTES} are read; divide it.")
    if excess := config.excess(size):
        raise FileError(f"{path}: its text {excess}; divide the file.")
    try:
        found = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path}: is not a JSON file ({str(error)[:80]}); export it again.") from error
    except MemoryError as error:
        if not lacks_memory(error):
            raise
        raise FileError(f"{path}: there is not enough memory to read it; divide it.") from error
    if not isinstance(found, dict):
        raise FileError(f"{path}: holds a JSON {type(found).__name__}; expected an object.")
    return found


def points(values: Any) -> Array | None:
    """Pairs of numbers, [[x, y], ...] or [x, y, x, y, ...], as N×2 float64; None for anything else."""
    if not isinstance(values, Sequence) or isinstance(values, str):
        return None
    try:
        found = np.array(values, np.float64)
    except (ValueError, TypeError, OverflowError):
        return None
    if found.ndim == 1 and len(found) % 2 == 0:
        return found.reshape(-1, 2)
    return found if found.ndim == 2 and found.shape[1] == 2 else None


def is_size(height: Any, width: Any) -> bool:
    """Whether two JSON values can be the height and width of a picture."""
    return all(type(each) is int and 0 < each < 1 << 20 for each in (height, width))
