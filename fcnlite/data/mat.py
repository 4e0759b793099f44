"""MATLAB 5 files of strangers: SciPy reads them once their sizes have proved harmless.

Compressed parts are inflated first, within a bound, and the extents that arrays claim are compared with the bytes that
there are: SciPy would allocate what a few bytes ask for. Nothing is executed: functions and objects stay bytes.
"""

from __future__ import annotations

import io
import math
import os
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from fcnlite.data.pictures import MAX_PIXELS
from fcnlite.errors import DataError, FileError, nearest
from fcnlite.files import reading

MAX_BYTES = 1 << 28
"""The largest file, also once inflated: 256 MiB."""

_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15  # types of elements
_SPARSE = 5  # a class of arrays; these take what their entries take, whatever their extents
_MAX_NESTED = 32
_MAX_EXTENTS = 32  # as many axes as SciPy takes

Array = np.ndarray[Any, np.dtype[Any]]


def read_mat(path: str | os.PathLike[str], variable: str) -> Any:
    """One variable of a .mat file (format 5, MATLAB's -v6 and -v7), as `scipy.io.loadmat` gives it.

    Raises `FileError` for a file that is missing, damaged, too large or of another format, or has no such variable.
    """
    import scipy.io

    with reading(path) as stream:
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise FileError(f"{path}: is larger than {MAX_BYTES} bytes; that is no label map.")
    if len(content) < _HEADER or content[126:128] not in (b"IM", b"MI"):
        found = "its format is 7.3" if content.startswith(b"MATLAB 7.3") else f"{len(content)} bytes"
        raise FileError(f"{path}: is not a MATLAB 5 file ({found}); save it with -v7, or get it again.")
    order = "<" if content[126:128] == b"IM" else ">"
    try:
        plain = content[:_HEADER] + b"".join(_inflated(content, order))
        _refuse_claims(plain, order, _HEADER, len(plain), 0)
        found = scipy.io.loadmat(io.BytesIO(plain), variable_names=[variable])
        if variable not in found:
            names = [name for name, _, _ in scipy.io.whosmat(io.BytesIO(plain))]
            raise FileError(f"{path}: has no variable {variable!r}; {nearest(variable, names)}")
    except FileError:
        raise
    except Exception as error:  # SciPy raises many types for damaged files
        raise FileError(f"{path}: is damaged ({error}); get the file again or leave it out.") from error
    return found[variable]


def label_map(path: str | os.PathLike[str], value: Any, what: str) -> Array:
    """`value`, which is called `what` in the file at `path`, as H×W int64. Raises `DataError` where it is none."""
    array = np.asarray(value)
    if array.ndim != 2 or array.size == 0 or array.size > MAX_PIXELS or array.dtype.kind not in "iuf":
        shape = "×".join(map(str, array.shape))
        raise DataError(f"{path}: {what} is {shape} of type {array.dtype}; expected H×W class numbers.")
    with np.errstate(invalid="ignore"):
        numbers = array.astype(np.int64)
    if not np.array_equal(numbers, array):
        raise DataError(f"{path}: {what} holds numbers that are not whole; expected class numbers.")
    return numbers


def _inflated(content: bytes, order: str) -> Iterator[bytes]:
    """The elements of a file, compressed ones inflated, together no more than `MAX_BYTES`."""
    position, room = _HEADER, MAX_BYTES
    while position + 8 <= len(content):
        kind, size = struct.unpack_from(f"{order}II", content, position)
        end = position + 8 + size
        if end > len(content):
            raise ValueError(f"an element of {size} bytes at byte {position} reaches beyond the end")
        element = content[position:end]
        if kind == _COMPRESSED:
            inflating = zlib.decompressobj()
            element = inflating.decompress(element[8:], room)
            if inflating.unconsumed_tail:
                raise ValueError(f"it inflates to more than {MAX_BYTES} bytes")
        room -= len(element)
        if room <= 0:
            raise ValueError(f"it inflates to more than {MAX_BYTES} bytes")
        yield element
        position = end


def _refuse_claims(content: bytes, order: str, start: int, end: int, depth: int) -> None:
    """Raise ValueError where an array claims more entries than bytes are left for it, at any depth."""
    if depth > _MAX_NESTED:
        raise ValueError("it is nested too deeply")
    for kind, begin, stop in _elements(content, order, start, end):
        if kind != _MATRIX or begin == stop:
            continue
        parts = list(_elements(content, order, begin, stop))
        if len(parts) > 1 and content[slice(*parts[0][1:])][0 if order == "<" else 3] != _SPARSE:
            _, first, last = parts[1]  # flags, extents, name, then the content
            extents = struct.unpack(f"{order}{(last - first) // 4}i", content[first : first + (last - first) // 4 * 4])
            entries = math.prod(extents)
            if len(extents) > _MAX_EXTENTS or min(extents, default=0) < 0 or entries > stop - begin:
                raise ValueError(f"an array claims {entries} entries in {stop - begin} bytes")
        _refuse_claims(content, order, begin, stop, depth + 1)


def _elements(content: bytes, order: str, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """(type, first byte, end) of each element between two places."""
    position = start
    while position + 8 <= end:
        kind, size = struct.unpack_from(f"{order}II", content, position)
        if kind >> 16:  # up to four bytes, together with the tag
            yield kind & 0xFFFF, position + 4, position + 4 + min(kind >> 16, 4)
            position += 8
            continue
        stop = position + 8 + size
        if stop > end:
            raise ValueError(f"an element of {size} bytes at byte {position} reaches beyond the end")
        yield kind, position + 8, stop
        position = (stop + 7) // 8 * 8


