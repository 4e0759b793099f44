"""Protobuf's wire form, one level deep.

Protobuf itself reads a whole message into objects, which take up to 200 times the room of a hostile file (an
empty layer is 3 bytes there). Walking over the fields takes none, and a large file needs no second copy.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

_VARINT, _FIXED64, BYTES, _FIXED32 = 0, 1, 2, 5


class Record(NamedTuple):
    """One field of a message: where it begins, where its content starts and ends in the data."""

    number: int
    kind: int
    """Its wire type; BYTES for strings, messages and packed numbers."""
    begin: int
    start: int
    end: int


def records(data: memoryview, start: int, end: int) -> Iterator[Record]:
    """The fields of the message that lies at data[start:end]. Raises `ValueError` where there is none."""
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
    """The size of a field's content, and where it starts."""
    if kind == BYTES:
        return _varint(data, at, end)
    if kind in (_FIXED32, _FIXED64):
        return (4 if kind == _FIXED32 else 8), at
    raise ValueError(f"wire type {kind} before byte {at}")


def _varint(data: memoryview, at: int, end: int) -> tuple[int, int]:
    """The variable-length number at `at`, and where it ends."""
    value = 0
    for place, byte in enumerate(data[at : min(at + 10, end)]):
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at + place + 1
    raise ValueError(f"a number without an end at byte {at}")
