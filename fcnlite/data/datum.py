"""Reads Caffe's Datum, the record of its databases: a small protobuf message with one picture.

Fields: 1 channels, 2 height, 3 width, 4 data (bytes), 5 label, 6 float_data, 7 encoded. Everything is checked against
the size of the record, since the bytes may be anything.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np

from fcnlite.data.picture_files import MAX_PIXELS
from fcnlite.errors import DataError, brief

_CHANNELS, _HEIGHT, _WIDTH, _DATA, _LABEL, _FLOATS, _ENCODED = range(1, 8)
_MOST_CHANNELS = 64


def read_datum(record: bytes, where: str) -> np.ndarray:
    """The picture of a Datum as C×H×W: uint8, or float32 from float_data.

    Raises `DataError`, beginning with `where`, for anything else.
    """
    fields: dict[int, Any] = {}
    floats: list[bytes] = []
    try:
        for number, value in _fields(record):
            if number == _FLOATS:
                floats.append(value)
            else:
                fields[number] = value
        if fields.get(_ENCODED):
            return _decoded(fields.get(_DATA, b""), where)
        shape = tuple(int(fields.get(each, 0)) for each in (_CHANNELS, _HEIGHT, _WIDTH))
        pixels, held = shape[1] * shape[2], b"".join(floats)
        if min(shape) < 1 or shape[0] > _MOST_CHANNELS or pixels > MAX_PIXELS:
            raise ValueError(f"its size is {'×'.join(map(str, shape))}")
        data = fields.get(_DATA, b"")
        if isinstance(data, bytes) and len(data) == shape[0] * pixels:
            return np.frombuffer(data, np.uint8).reshape(shape)
        if not data and len(held) == 4 * shape[0] * pixels:
            return np.frombuffer(held, "<f4").reshape(shape)
        raise ValueError(f"its size is {'×'.join(map(str, shape))}, but it has {len(data) or len(held) // 4} values")
    except (ValueError, TypeError, IndexError) as error:
        raise DataError(f"{where}: is not a Datum of Caffe with a picture ({brief(error)}).") from error


def _decoded(data: bytes, where: str) -> np.ndarray:
    """A compressed picture as C×H×W in blue, green, red, as Caffe decodes it."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "BMP")) as image:
            if image.width * image.height > MAX_PIXELS:
                raise DataError(
                    f"{where}: its picture has {image.width}×{image.height} pixels, more than {MAX_PIXELS:,}."
                )
            gray = image.mode in ("L", "P", "1")
            values = np.asarray(image if gray else image.convert("RGB"), np.uint8)
    except DataError:
        raise
    except Exception as error:  # Pillow raises a dozen types for damaged pictures
        raise DataError(f"{where}: its compressed picture is damaged ({brief(error)}).") from error
    return values[None] if gray else np.ascontiguousarray(values[:, :, ::-1].transpose(2, 0, 1))


def _fields(record: bytes) -> Iterator[tuple[int, Any]]:
    """Number and value of each field. Raises `ValueError` or `IndexError` for bytes that are not a message."""
    at = 0
    value: Any
    while at < len(record):
        key, at = _varint(record, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(record, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            value, at = record[at : at + size], at + size
        elif kind == 2:
            size, at = _varint(record, at)
            value, at = record[at : at + size], at + size
        else:
            raise ValueError(f"wire type {kind}")
        if at > len(record):
            raise ValueError("it is cut short")
        yield key >> 3, value


def _varint(record: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = record[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number is too long")
