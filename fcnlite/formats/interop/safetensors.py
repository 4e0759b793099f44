"""Reads safetensors files: named arrays, without pickle.

The first eight bytes (little-endian) are the length of the header. The header is JSON, {name: {"dtype", "shape",
"data_offsets": [start, end]}}, with an optional "__metadata__". The rest of the file holds the numbers, array after
array. Every size is checked against the file before memory is allocated.
"""

from __future__ import annotations

import json
import os
from math import prod

import numpy as np

from fcnlite.arrays import Array
from fcnlite.errors import FileError
from fcnlite.files import MappedFile, cannot_read, open_regular

MAX_HEADER = 16 << 20
"""Maximum size of a header in bytes; far above that of any net."""
MAX_AXES = 32

_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}


def read(path: str | os.PathLike[str]) -> dict[str, Array]:
    """All arrays by name: F32 and F64 as read-only mappings of the file, F16 and BF16 as float32.

    Raises `FileError` for a file that is missing or damaged, or holds numbers of other types.
    """
    try:
        with open_regular(path) as stream:
            size = os.fstat(stream.fileno()).st_size
            length = int.from_bytes(stream.read(8), "little")
            if size < 8 or length > min(size - 8, MAX_HEADER):
                raise _damaged(path, f"its header should have {length:,} bytes")
            header = stream.read(length)
            content = MappedFile.of(path, stream).bytes()[8 + length :]
    except OSError as error:
        raise cannot_read(path, error) from error
    arrays = {}
    end = 0
    for name, dtype, shape, (start, stop) in _entries(path, header):
        if start != end or stop > len(content):
            raise _damaged(path, f"array {name!r} is at bytes {start:,} to {stop:,}; expected it to begin at {end:,}")
        if prod(shape) * np.dtype(_DTYPES[dtype]).itemsize != stop - start:
            raise _damaged(path, f"array {name!r} has {stop - start:,} bytes, which contradicts its shape")
        end = stop
        numbers = content[start:stop].view(_DTYPES[dtype]).reshape(shape)
        if dtype == "BF16":
            # BF16 is the upper half of a float32.
            numbers = (numbers.astype(np.uint32) << 16).view(np.float32)
        arrays[name] = numbers.astype(np.float32) if dtype == "F16" else np.require(numbers, requirements="A")
    if end != len(content):
        raise _damaged(path, f"{len(content) - end:,} bytes at its end belong to no array")
    return arrays


def _entries(path: str | os.PathLike[str], header: bytes) -> list[tuple[str, str, tuple[int, ...], tuple[int, int]]]:
    """The name, dtype, shape and byte range of each array, in the order of the file."""
    try:
        entries = json.loads(header)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "its header is not JSON") from error
    if not isinstance(entries, dict):
        raise _damaged(path, "its header is not a JSON mapping")
    entries.pop("__metadata__", None)
    found = []
    for name, entry in entries.items():
        match entry:
            case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [start, stop]} if (
                len(shape) <= MAX_AXES
                # isinstance accepts bool as int
                and all(type(each) is int and 0 <= each < 1 << 48 for each in (*shape, start, stop))
                and start <= stop
            ):
                if dtype not in _DTYPES:
                    raise FileError(f"{path}: array {name!r} is {dtype[:20]}; expected one of {', '.join(_DTYPES)}.")
                found.append((name, dtype, tuple(shape), (start, stop)))
            case _:
                raise _damaged(path, f"its header's entry {name[:80]!r} is unusable")
    return sorted(found, key=lambda each: each[3])


def _damaged(path: str | os.PathLike[str], reason: str) -> FileError:
    return FileError(f"{path}: is not a safetensors file, or it is cut short or damaged ({reason}); download it again.")
