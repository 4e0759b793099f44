"""Encodes weights as caffemodel and as HDF5, and writes several files together.

A caffemodel is written in pieces, since protobuf itself would hold three copies of the weights in memory.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fcnlite.arrays import Array
from fcnlite.errors import FileError
from fcnlite.files import atomic_write
from fcnlite.formats.caffe.caffemodel import MAX_BYTES
from fcnlite.formats.caffe.fork_schema import without_fork_fields
from fcnlite.formats.caffe.schema import fields, message_class
from fcnlite.formats.caffe.wire import BYTES

Pieces = list[Any]
"""The bytes and arrays of a file, in order."""


def write_weights(path: str | os.PathLike[str], params: Mapping[str, Sequence[Array]]) -> None:
    """Write parameters by layer name, arrays of any shape, as a V2 caffemodel (float32), completely or not at all.

    Raises `FileError` if the file cannot be written or would exceed protobuf's limit of 2 GiB.
    """
    write_together([(path, caffemodel_weights(path, params))])


def caffemodel_weights(path: str | os.PathLike[str], params: Mapping[str, Sequence[Array]], text: str = "") -> Pieces:
    """The content of a caffemodel: parameters by layer name, and the net that the prototxt `text` describes.

    Caffe's own files hold the net too. Raises `FileError`, naming `path`, for more than 2 GiB.
    """
    from google.protobuf import text_format

    model: Any = text_format.Parse(text, message_class("NetParameter")())
    without_fork_fields(model)
    size = model.ByteSize() + sum(4 * array.size for arrays in params.values() for array in arrays)
    # Names and shapes are small compared with the numbers; 1 MiB is reserved for them.
    if size > MAX_BYTES - (1 << 20):
        raise FileError(f"{path}: {size:,} bytes of weights do not fit; a caffemodel ends at 2 GiB.")
    layers = list(model.layer)
    model.ClearField("layer")
    described = {layer.name for layer in layers}
    layers += [message_class("LayerParameter")(name=name) for name in params if name not in described]
    pieces: Pieces = [model.SerializeToString()]
    left = dict(params)
    for layer in layers:
        # If two layers have one name, one for each phase, the first gets the weights.
        blobs = [piece for array in left.pop(layer.name, ()) for piece in _blob(array)]
        pieces += _field(fields("NetParameter")["layer"].number, [layer.SerializeToString(), *blobs])
    return pieces


def _blob(array: Array) -> Pieces:
    """An array as one of the `blobs` of a layer."""
    blob = fields("BlobProto")
    numbers = np.ascontiguousarray(array, dtype="<f4").reshape(-1).view(np.uint8)
    shape = message_class("BlobShape")(dim=array.shape).SerializeToString()
    content = [*_field(blob["data"].number, [numbers]), *_field(blob["shape"].number, [shape])]
    return _field(fields("LayerParameter")["blobs"].number, content)


def _field(number: int, content: Pieces) -> Pieces:
    """A record of protobuf's wire format with a payload of bytes: a string, a message or packed numbers."""
    return [_varint(number << 3 | BYTES) + _varint(sum(map(len, content))), *content]


def _varint(value: int) -> bytes:
    """A number in groups of seven bits, the lowest group first; every byte except the last has its eighth bit set."""
    if value < 0x80:
        return bytes([value])
    return bytes([value & 0x7F | 0x80]) + _varint(value >> 7)


def hdf5_weights(path: str | os.PathLike[str], params: Mapping[str, Sequence[Array]]) -> Pieces:
    """Parameters in Caffe's HDF5 form: the group `data` with one group per layer, which holds data sets 0, 1, ...

    An array that layers share is stored once, and the other layers link to it. Caffe stores it only with the first
    layer, which may be another one in the other phase. Raises `FileError`, naming `path`, for layer names that Caffe
    could not find in the file.
    """
    import h5py

    # Built in memory, because HDF5 cannot close a file on a full disk and then crashes at exit.
    memory = io.BytesIO()
    written: dict[int, Any] = {}
    with h5py.File(memory, "w") as file:
        data = file.create_group("data")
        for layer, arrays in params.items():
            if "/" in layer or layer in ("", "."):
                raise FileError(
                    f"{path}: layer {layer!r} cannot be a group in Caffe's HDF5, where a slash separates nested "
                    "groups; save to a .caffemodel."
                )
            group = data.create_group(layer)
            for index, array in enumerate(arrays):
                if id(array) not in written:
                    written[id(array)] = group.create_dataset(str(index), data=np.asarray(array, dtype="<f4"))
                else:
                    group[str(index)] = written[id(array)]
    return [memory.getbuffer()]


def write_together(files: Sequence[tuple[str | os.PathLike[str], Pieces]]) -> None:
    """Write all files or none: each is renamed into place only after all are on disk. Raises `FileError`."""
    places = [Path(path).resolve() for path, _ in files]
    for index, (path, place) in enumerate(zip((path for path, _ in files), places, strict=True)):
        if place.is_dir():
            raise FileError(f"{path}: is a folder; expected a file name.")
        if place in places[:index]:
            raise FileError(f"{path}: is given for two files; give them different names.")
    _write(files)


def _write(files: Sequence[tuple[str | os.PathLike[str], Pieces]]) -> None:
    if files:
        (path, pieces), *others = files
        with atomic_write(path) as temporary:
            with temporary.open("wb") as stream:
                stream.writelines(pieces)
            _write(others)
