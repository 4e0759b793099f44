"""Reads Caffe's blobs as arrays, also from files that hold one blob: binaryproto."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from typing import Any, BinaryIO

import numpy as np

from fcnlite.errors import FileError
from fcnlite.formats.caffe.reading import open_mapped
from fcnlite.formats.caffe.schema import fields, message_class
from fcnlite.formats.caffe.wire import BYTES, records
from fcnlite.layers.options import MAX_AXES

MAX_BLOB_BYTES = 64 << 20
"""Maximum size of a binaryproto, which holds a mean picture or a matrix of classes."""

_LEGACY_AXES = ("num", "channels", "height", "width")
_CHUNK = 1 << 20
"""The number of values that are converted or checked at a time."""

_BLOB = fields("BlobProto")
_FLOATS, _DOUBLES = _BLOB["data"].number, _BLOB["double_data"].number
_GRADIENTS = (_BLOB["diff"].number, _BLOB["double_diff"].number, 13)
_RAW = 12
"""`raw_data`, which NVIDIA's Caffe and OpenCV write: numbers of 2, 4 or 8 bytes. 13 is `raw_diff`."""

Span = tuple[int, int]
"""A range of bytes in the file: the first, and the one after the last."""


def read_blob(path: str | os.PathLike[str]) -> np.ndarray:
    """The float32 array in a binaryproto file, in its shape there (a mean picture 1×C×H×W, an infogain matrix).

    Raises `FileError`.
    """
    from google.protobuf.message import DecodeError

    with open_mapped(path, MAX_BLOB_BYTES) as (stream, data):
        try:
            array = to_array(stream, data, (0, len(data)), str(path))
        except (ValueError, DecodeError) as error:
            raise FileError(f"{path}: is not a binaryproto, or it is damaged or cut short.") from error
    return array.copy()


def to_array(stream: BinaryIO, data: memoryview, blob: Span, where: str) -> np.ndarray:
    """The array of the BlobProto at `blob` of a file: float32, read-only.

    `data` maps the file that `stream` reads. Finding the numbers touches few bytes of `data`; `stream` then reads them
    directly into the array. Raises `FileError`, beginning with `where`, for numbers that do not fit the shape or are
    not finite; `ValueError` or protobuf's `DecodeError` if there is no message.
    """
    spans: dict[int, list[Span]] = {_FLOATS: [], _DOUBLES: [], _RAW: []}
    rest = bytearray()
    for record in records(data, *blob):
        if record.wire_type == BYTES and record.number in spans:
            spans[record.number].append((record.start, record.end))
        elif record.number not in _GRADIENTS:
            rest += data[record.begin : record.end]
    message: Any = message_class("BlobProto")()
    message.ParseFromString(bytes(rest))
    shape = _shape(message, where)
    count = math.prod(shape)
    if unpacked := message.double_data or message.data:
        _check_count(len(unpacked), shape, where)
        array = np.array(unpacked, dtype=np.float32)
    else:
        dtype, found = _stored(spans, count)
        _check_count(sum(end - start for start, end in found) // dtype.itemsize, shape, where)
        array = _read(stream, found, dtype, count)
    check_finite(array, where)
    array.flags.writeable = False  # a net can then use the array without a copy
    return array.reshape(shape)


def check_shape(shape: Iterable[int], where: str) -> tuple[int, ...]:
    """The shape of a blob as a tuple. Raises `FileError`, beginning with `where`, for a shape that no blob has."""
    sizes = tuple(shape)
    if len(sizes) > MAX_AXES or any(size < 1 for size in sizes):
        raise FileError(f"{where}: has the shape {_show(sizes)}; expected up to {MAX_AXES} sizes of at least 1.")
    return sizes


def _shape(message: Any, where: str) -> tuple[int, ...]:
    if any(message.HasField(axis) for axis in _LEGACY_AXES):
        return check_shape((getattr(message, axis) for axis in _LEGACY_AXES), where)
    return check_shape(message.shape.dim, where)


def _stored(spans: dict[int, list[Span]], count: int) -> tuple[np.dtype[Any], list[Span]]:
    """The dtype and the places of the numbers in the file."""
    if raw := spans[_RAW]:
        size = sum(end - start for start, end in raw)
        return np.dtype({2 * count: "<f2", 8 * count: "<f8"}.get(size, "<f4")), raw
    if doubles := spans[_DOUBLES]:
        return np.dtype("<f8"), doubles
    return np.dtype("<f4"), spans[_FLOATS]


def _check_count(found: int, shape: tuple[int, ...], where: str) -> None:
    if found == 0 and not shape:
        raise FileError(f"{where}: holds no numbers; expected a blob that Caffe saved.")
    if found == 0:
        raise FileError(
            f"{where}: has a shape but no numbers; the file was saved without its weights, get the complete file."
        )
    if found != math.prod(shape):
        raise FileError(
            f"{where}: holds {found:,} numbers, its shape {_show(shape)} needs {math.prod(shape):,}; "
            "the file is damaged."
        )


def _read(stream: BinaryIO, spans: list[Span], dtype: np.dtype[Any], count: int) -> np.ndarray:
    """The numbers at `spans` of the file as float32."""
    array = np.empty(count, np.float32)
    at = 0
    for start, end in spans:
        stream.seek(start)
        size = (end - start) // dtype.itemsize
        if (end - start) % dtype.itemsize:
            raise ValueError(f"{end - start} bytes at byte {start} are not a multiple of {dtype.name}")
        if dtype == array.dtype:
            _fill(stream, array[at : at + size])
        else:
            for first in range(at, at + size, _CHUNK):
                part = np.empty(min(_CHUNK, at + size - first), dtype)
                _fill(stream, part)
                with np.errstate(over="ignore"):
                    array[first : first + len(part)] = part
        at += size
    return array


def _fill(stream: BinaryIO, array: np.ndarray) -> None:
    """Fill the array from the stream. Raises `ValueError` if the stream ends early."""
    view = array.view(np.uint8).data
    while view:
        read = stream.readinto(view)  # type: ignore[attr-defined]  # BinaryIO leaves out a method of all its kinds
        if not read:
            raise ValueError("the file was cut short while it was read")
        view = view[read:]


def check_finite(array: np.ndarray, where: str) -> None:
    """Raise `FileError`, beginning with `where`, for NaN and infinite numbers."""
    flat = array.reshape(-1)
    if not all(np.isfinite(flat[at : at + _CHUNK]).all() for at in range(0, flat.size, _CHUNK)):
        raise FileError(f"{where}: holds NaN or infinite numbers; the training that wrote it had diverged.")


def _show(shape: tuple[int, ...]) -> str:
    shown = "×".join(map(str, shape[:MAX_AXES])) or "(scalar)"
    return shown if len(shape) <= MAX_AXES else f"{shown}×..."
