"""Calls and answers between page, server and workers: JSON that may hold arrays.

    4 bytes     the length of the JSON text, little-endian, without these 4 bytes
    JSON text   UTF-8, with spaces at its end, so that what follows begins at a multiple of 8
    arrays      little-endian and C-contiguous, each padded with zeros to a multiple of 8

In the JSON text, an array is {"$array": {"at": 0, "type": "u1", "shape": [2, 3]}}; `at` is its first byte, counted from
that of the first array. page/messages.js has the same two functions.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from fcnlite.arrays import Array
from fcnlite.errors import DataError

TYPES = ("u1", "i4", "f4", "f8")
"""The types of arrays, as NumPy abbreviates them."""
_KEY = "$array"
_UNIT = 8


def pack(value: Any) -> bytes:
    """`value` as bytes: JSON values, and arrays of uint8, bool, int32, float32 and float64.

    Numbers that JSON does not have, NaN and infinity, become null; in arrays they stay.
    """
    arrays: list[bytes] = []
    size = 0

    def placed(array: Any) -> Any:
        nonlocal size
        if not isinstance(array, np.ndarray):
            raise TypeError(f"a message cannot hold a {type(array).__name__}")
        if array.dtype == bool:
            array = array.view(np.uint8)
        kind = array.dtype.str[1:]
        if kind not in TYPES:
            raise TypeError(f"a message cannot hold an array of {array.dtype}")
        content = array.tobytes()
        content += bytes(-len(content) % _UNIT)
        entry = {"at": size, "type": kind, "shape": list(array.shape)}
        arrays.append(content)
        size += len(content)
        return {_KEY: entry}

    text = json.dumps(_with_null(value), default=placed, allow_nan=False, ensure_ascii=False).encode()
    text += b" " * (-(4 + len(text)) % _UNIT)
    return b"".join((len(text).to_bytes(4, "little"), text, *arrays))


def _with_null(value: Any) -> Any:
    """`value` with None for numbers that are not finite, and Python's numbers for NumPy's."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _with_null(each) for key, each in value.items()}
    return [_with_null(each) for each in value] if isinstance(value, (list, tuple)) else value


def unpack(content: bytes) -> Any:
    """The value that `pack` made into bytes; its arrays are read-only. Raises `DataError` for other bytes."""
    begin = 4 + int.from_bytes(content[:4], "little")

    def found(entry: dict[str, Any]) -> Any:
        return _array(content, begin, entry[_KEY]) if set(entry) == {_KEY} else entry

    try:
        if len(content) < begin:
            raise ValueError("it is cut off")
        return json.loads(content[4:begin], object_hook=found)
    except (ValueError, OverflowError, TypeError, KeyError, RecursionError) as error:
        raise DataError(f"a message is not readable ({error}); reload the page.") from error


def _array(content: bytes, begin: int, entry: dict[str, Any]) -> Array:
    at, kind, shape = entry["at"], entry["type"], tuple(entry["shape"])
    if kind not in TYPES or not all(type(each) is int and each >= 0 for each in (at, *shape)):
        raise ValueError("an array has another form")
    count = int(np.prod(shape, dtype=object))
    return np.frombuffer(content, np.dtype(f"<{kind}"), count, begin + at).reshape(shape)
