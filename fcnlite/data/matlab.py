"""Reads untrusted MATLAB 5 files: SciPy reads a file after a check that its sizes are harmless.

Compressed parts are inflated first, within a bound, and the form of every array is checked. Otherwise a few bytes could
make SciPy allocate any amount of memory, and a wrong type could crash the process. Objects and functions are refused.
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

from fcnlite.arrays import Array
from fcnlite.data.picture_files import MAX_PIXELS
from fcnlite.errors import DataError, FileError, brief, nearest
from fcnlite.files import reading

MAX_BYTES = 1 << 28
"""The largest file that is read, before and after inflation: 256 MiB."""

_HEADER = 128
# Types of elements.
_BYTES, _LENGTHS, _FLAGS, _MATRIX, _COMPRESSED = 1, 5, 6, 14, 15
_NUMBERS = frozenset({1, 2, 3, 4, 5, 6, 7, 9, 12, 13})
_TEXT = _NUMBERS | {16, 17, 18}
# Classes of arrays.
_CELL, _STRUCT, _CHAR, _SPARSE = 1, 2, 4, 5
_CONTENT = {_CELL: {_MATRIX}, _STRUCT: {_BYTES, _LENGTHS, _MATRIX}, _CHAR: _TEXT, _SPARSE: _NUMBERS} | dict.fromkeys(
    range(6, 16), _NUMBERS
)
"""The types of the elements of an array, by its class. Label files hold no objects, functions or other classes."""
_COMPLEX = 0x800
_MAX_NESTED = 32
_MAX_EXTENTS = 32  # the largest number of axes that SciPy reads


def read_mat(path: str | os.PathLike[str], variable: str) -> Any:
    """Read one variable of a .mat file (format 5, MATLAB's -v6 and -v7), as `scipy.io.loadmat` does.

    Raises `FileError` for a file that is missing, damaged, too large or of another format, or lacks the variable.
    """
    import scipy.io

    with reading(path) as stream:
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise FileError(f"{path}: is larger than {MAX_BYTES} bytes; expected a label map.")
    if len(content) < _HEADER or content[126:128] not in (b"IM", b"MI"):
        found = "its format is 7.3" if content.startswith(b"MATLAB 7.3") else f"{len(content)} bytes"
        raise FileError(f"{path}: is not a MATLAB 5 file ({found}); save it with -v7, or get it again.")
    order = "<" if content[126:128] == b"IM" else ">"
    try:
        inflated = content[:_HEADER] + b"".join(_inflated(content, order))
        _check(inflated, order, _HEADER, len(inflated))
        found = scipy.io.loadmat(io.BytesIO(inflated), variable_names=[variable])
        if variable not in found:
            names = [name for name, _, _ in scipy.io.whosmat(io.BytesIO(inflated))]
            raise FileError(f"{path}: has no variable {variable!r}; {nearest(variable, names)}")
    except FileError:
        raise
    except Exception as error:  # SciPy raises many types for damaged files
        raise FileError(f"{path}: is damaged ({brief(error)}); get the file again or leave it out.") from error
    return found[variable]


def label_map(path: str | os.PathLike[str], value: Any, what: str) -> Array:
    """The variable `value`, called `what` in the file at `path`, as H×W int64. Raises `DataError` for other arrays."""
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
    """The elements of a file, inflated, of at most `MAX_BYTES` together."""
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


def _check(content: bytes, order: str, start: int, end: int, depth: int = 0) -> None:
    """Raise ValueError unless all arrays between two positions have valid form, at any depth.

    SciPy trusts types and extents: wrong ones make it read foreign memory, or allocate more memory than exists.
    """
    if depth > _MAX_NESTED:
        raise ValueError("it is nested too deeply")
    for kind, begin, stop in _elements(content, order, start, end):
        if kind != _MATRIX:
            if depth == 0:
                raise ValueError(f"found an element of type {kind} where an array is expected")
            continue
        if begin == stop:  # an empty array
            continue
        parts = list(_elements(content, order, begin, stop))
        kinds = [each for each, _, _ in parts[:3]]
        if kinds != [_FLAGS, _LENGTHS, _BYTES] or parts[0][2] - parts[0][1] != 8:
            raise ValueError("an array does not begin with flags, extents and name")
        flags = struct.unpack_from(f"{order}I", content, parts[0][1])[0]
        array_class, held = flags & 0xFF, parts[3:]
        extents = np.frombuffer(content[parts[1][1] : parts[1][2]], f"{order}i4").tolist()
        entries = math.prod(extents)
        if not 2 <= len(extents) <= _MAX_EXTENTS or min(extents) < 0:
            raise ValueError(f"an array has the extents {extents[:8]}")
        # The size of a sparse array depends on its entries, not on its extents.
        if array_class != _SPARSE and entries > stop - begin:
            raise ValueError(f"an array claims {entries} entries in {stop - begin} bytes")
        wanted = 1
        if array_class == _CELL:
            wanted = entries
        elif array_class == _SPARSE:
            wanted = 3  # rows, column starts, values
        elif array_class == _STRUCT and len(held) >= 2:
            wanted = 2 + entries * _fields(content, order, held)
        expected = _CONTENT.get(array_class, frozenset())
        if flags & _COMPLEX or len(held) != wanted or not all(each in expected for each, _, _ in held):
            raise ValueError(f"an array of class {array_class} holds elements of other types")
        _check(content, order, begin, stop, depth + 1)


def _fields(content: bytes, order: str, held: list[tuple[int, int, int]]) -> int:
    """The number of fields of a struct: the bytes of all names divided by those of one name."""
    (kind, begin, stop), (_, first, last) = held[:2]
    length = struct.unpack_from(f"{order}i", content, begin)[0] if kind == _LENGTHS and stop - begin == 4 else 0
    if length < 1 or (last - first) % length:
        raise ValueError("the fields of a struct have no names")
    return (last - first) // length


def _elements(content: bytes, order: str, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """(type, first byte, end) of each element between two positions."""
    position = start
    while position + 8 <= end:
        kind, size = struct.unpack_from(f"{order}II", content, position)
        if kind >> 16:  # a small element: up to four bytes inside the tag
            yield kind & 0xFFFF, position + 4, position + 4 + min(kind >> 16, 4)
            position += 8
            continue
        stop = position + 8 + size
        if stop > end:
            raise ValueError(f"an element of {size} bytes at byte {position} reaches beyond the end")
        yield kind, position + 8, stop
        position = (stop + 7) // 8 * 8
