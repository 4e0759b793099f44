"""Protobuf's wire format, one level deep.

Protobuf itself parses a whole message into objects, which can take 200 times the memory of a hostile file, where an
empty layer is 3 bytes. Iterating over the records allocates nothing, and a large file needs no second copy.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

_VARINT, _FIXED64, BYTES, _FIXED32 = 0, 1, 2, 5


class Record(NamedTuple):
    """One record of a message: a field's number, and the positions of its tag and its payload in the data."""

    number: int
    wire_type: int
    """BYTES for strings, messages and packed numbers."""
    begin: int
    """The first byte of the tag."""
    start: int
    """The first byte of the payload."""
    end: int


def records(data: memoryview, start: int, end: int) -> Iterator[Record]:
    """The records of the message at data[start:end]. Raises `ValueError` if the data are not a message."""
    at = start
    while at < end:
        begin = at
        key, at = _varint(data, at, end)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise ValueError(f"field number 0 at byte {begin}")
        if kind == _VARINT:
            content, (_, at) = at, _varint(data, at, end)
        else:
            size, content = _extent(data, kind, at, end)
            if size > end - content:
                raise ValueError(f"{size} bytes announced at byte {content}, {end - content} left")
            at = content + size
        yield Record(number, kind, begin, content, at)


def _extent(data: memoryview, kind: int, at: int, end: int) -> tuple[int, int]:
    """The size of a payload and the position of its first byte."""
    if kind == BYTES:
        return _varint(data, at, end)
    if kind in (_FIXED32, _FIXED64):
        return (4 if kind == _FIXED32 else 8), at
    raise ValueError(f"wire type {kind} before byte {at}")


def _varint(data: memoryview, at: int, end: int) -> tuple[int, int]:
    """The variable-length number at `at`, and the position after it."""
    value = 0
    for place, byte in enumerate(data[at : min(at + 10, end)]):
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at + place + 1
    raise ValueError(f"an unterminated number at byte {at}")
