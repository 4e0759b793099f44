"""Caffe's blobs as arrays, and files that hold one: binaryproto."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np

from fcnlite.caffe.bounded import read_bounded
from fcnlite.caffe.schema import message_class
from fcnlite.errors import FileError

MAX_AXES = 32
"""Caffe's limit for the axes of a blob."""
MAX_BLOB_BYTES = 64 << 20
"""Of a binaryproto: a mean picture or a matrix of classes."""

_LEGACY_AXES = ("num", "channels", "height", "width")


def read_blob(path: str | os.PathLike[str]) -> np.ndarray:
    """The float32 array in a binaryproto file (a mean picture, an infogain matrix). Raises `FileError`."""
    from google.protobuf.message import DecodeError

    blob: Any = message_class("BlobProto")()
    try:
        blob.ParseFromString(read_bounded(path, MAX_BLOB_BYTES))
    except DecodeError as error:
        raise FileError(f"{path}: is no binaryproto, or it is damaged or cut short.") from error
    if not (blob.data or blob.double_data):
        raise FileError(f"{path}: holds no numbers; expected a binaryproto, a blob that Caffe's tools save.")
    return to_array(blob, str(path))


def to_array(blob: Any, where: str) -> np.ndarray:
    """The numbers of the BlobProto `blob` in its shape, float32.

    Raises `FileError`, beginning with `where`, for numbers that do not fit the shape or are not finite.
    """
    if any(blob.HasField(axis) for axis in _LEGACY_AXES):
        shape = tuple(getattr(blob, axis) for axis in _LEGACY_AXES)
    else:
        shape = tuple(blob.shape.dim)
    numbers = blob.double_data if blob.double_data else blob.data
    if len(shape) > MAX_AXES or any(size < 1 for size in shape):
        raise FileError(
            f"{where}: has the shape {_show(shape)}; expected up to {MAX_AXES} sizes of at least 1."
        )
    if len(numbers) != math.prod(shape):
        raise FileError(
            f"{where}: holds {len(numbers):,} numbers, its shape {_show(shape)} needs {math.prod(shape):,}; "
            "the file is damaged."
        )
    with np.errstate(over="ignore"):
        array = np.array(numbers, dtype=np.float32)
    if not np.isfinite(array).all():
        raise FileError(f"{where}: holds NaN or infinite numbers; the training that wrote it had diverged.")
    return array.reshape(shape)


def _show(shape: tuple[int, ...]) -> str:
    shown = "×".join(map(str, shape[:MAX_AXES])) or "(scalar)"
    return shown if len(shape) <= MAX_AXES else f"{shown}×..."
