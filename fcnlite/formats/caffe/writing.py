"""Weights as Caffe keeps them, binary and HDF5, and files that are written together.

A caffemodel is written piece by piece: protobuf itself would hold the weights of a large net three times over.
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
from fcnlite.formats.caffe.schema import fields, message_class
from fcnlite.formats.caffe.wire import BYTES

Pieces = list[Any]
"""Bytes and arrays that make up a file, one behind the other."""


def write_weights(path: str | os.PathLike[str], params: Mapping[str, Sequence[Array]]) -> None:
    """Write parameters by layer name as a V2 caffemodel (float32), whole or not at all.

    Raises `FileError` if the file cannot be written or would pass protobuf's 2 GiB.
    """
    write_together([(path, caffemodel_weights(path, params))])


def caffemodel_weights(path: str | os.PathLike[str], params: Mapping[str, Sequence[Array]], text: str = "") -> Pieces:
    """What `write_weights` writes; beside it the net that the prototxt `text` describes, as Caffe's own files have it.

    Raises `FileError`, naming `path`, beyond 2 GiB.
    """
    from google.protobuf import text_format

    model: Any = text_format.Parse(text, message_class("NetParameter")())
    size = model.ByteSize() + sum(4 * array.size for arrays in params.values() for array in arrays)
    # Names and shapes take little beside the numbers; 1 MiB is left for them.
    if size > MAX_BYTES - (1 << 20):
        raise FileError(f"{path}: {size:,} bytes of weights do not fit; a caffemodel ends at 2 GiB.")
    layers = list(model.layer)
    model.ClearField("layer")
    described = {layer.name for layer in layers}
    layers += [message_class("LayerParameter")(name=name) for name in params if name not in described]
    pieces: Pieces = [model.SerializeToString()]
    left = dict(params)
    for layer in layers:
        # Of two layers of one name, one for each phase, the first has the weights.
        blobs = [piece for array in left.pop(layer.name, ()) for piece in _blob(array)]
        pieces += _field(fields("NetParameter")["layer"].number, [layer.SerializeToString(), *blobs])
    return pieces


def _blob(array: Array) -> Pieces:
    """One of a layer's `blobs`."""
    blob = fields("BlobProto")
    numbers = np.ascontiguousarray(array, dtype="<f4").reshape(-1).view(np.uint8)
    shape = message_class("BlobShape")(dim=array.shape).SerializeToString()
    content = [*_field(blob["data"].number, [numbers]), *_field(blob["shape"].number, [shape])]
    return _field(fields("LayerParameter")["blobs"].number, content)


def _field(number: int, content: Pieces) -> Pieces:
    """A field of protobuf's wire form that holds bytes: a string, a message or packed numbers."""
    return [_varint(number << 3 | BYTES) + _varint(sum(map(len, content))), *content]


def _varint(value: int) -> bytes:
    """A number in sevens of bits, the lowest first; all bytes but the last have the eighth bit set."""
    if value < 0x80:
        return bytes([value])
    return bytes([value & 0x7F | 0x80]) + _varint(value >> 7)


def hdf5_weights(path: str | os.PathLike[str], params: Mapping[str, Sequence[Array]]) -> Pieces:
    """Parameters as Caffe's HDF5 has them: the group `data`, in it one group a layer with the data sets 0, 1, ...

    An array that layers share is kept once and linked to; Caffe keeps it with the layer that has it first, which in
    another phase may be another layer. Raises `FileError`, naming `path`, for names that Caffe would not find there.
    """
    import h5py

    # Built in memory: a full disk leaves HDF5 with a file that it cannot close, and it then crashes at exit.
    memory = io.BytesIO()
    written: dict[int, Any] = {}
    with h5py.File(memory, "w") as file:
        data = file.create_group("data")
        for layer, arrays in params.items():
            if "/" in layer or layer in ("", "."):
                raise FileError(
                    f"{path}: layer {layer!r} cannot be a group of Caffe's HDF5, which takes a slash for a group in a "
                    "group; save to a .caffemodel."
                )
            group = data.create_group(layer)
            for index, array in enumerate(arrays):
                if id(array) not in written:
                    written[id(array)] = group.create_dataset(str(index), data=np.asarray(array, dtype="<f4"))
                else:
                    group[str(index)] = written[id(array)]
    return [memory.getbuffer()]


def write_together(files: Sequence[tuple[str | os.PathLike[str], Pieces]]) -> None:
    """Write all of the files or none: each takes its place only once all are on the disk. Raises `FileError`."""
    places = [Path(path).resolve() for path, _ in files]
    for index, (path, place) in enumerate(zip((path for path, _ in files), places, strict=True)):
        if place.is_dir():
            raise FileError(f"{path}: is a folder; expected the name of a file.")
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
