"""Caffemodel: the weights of a net as a binary protobuf message, in Caffe's V2 form.

The file is a NetParameter whose layers hold `blobs`, each with a shape and its numbers.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fcnlite.caffe.blobs import to_array
from fcnlite.caffe.bounded import read_bounded
from fcnlite.caffe.schema import fields, message_class
from fcnlite.caffe.text import V1_NOT_READ
from fcnlite.caffe.wire import byte_fields
from fcnlite.errors import FileError
from fcnlite.files import atomic_write

MAX_BYTES = 2**31 - 1
"""Protobuf's limit for one message."""
MAX_LAYERS = 100_000
"""More than any net has; a file of empty layers would only take time."""

def read_weights(path: str | os.PathLike[str]) -> dict[str, list[np.ndarray]]:
    """The parameters of every layer that has some, by its name: float32 arrays in Caffe's shapes.

    Raises `FileError` for a file that is no V2 caffemodel, and for blobs whose numbers do not fit their shape
    or are not finite.
    """
    from google.protobuf.message import DecodeError

    net = fields("NetParameter")
    weights: dict[str, list[np.ndarray]] = {}
    layers = 0
    try:
        for number, content in byte_fields(memoryview(read_bounded(path, MAX_BYTES))):
            if number == net["layers"].number:
                raise FileError(f"{path}: {V1_NOT_READ}")
            if number != net["layer"].number:
                continue
            layers += 1
            if layers > MAX_LAYERS:
                raise FileError(f"{path}: holds more than {MAX_LAYERS:,} layers.")
            name, arrays = _layer(content, str(path))
            if arrays and name in weights:
                raise FileError(f"{path}: two layers with weights are called {name!r}.")
            if arrays:
                weights[name] = arrays
    except (ValueError, DecodeError) as error:
        raise FileError(
            f"{path}: is not a caffemodel, or it is damaged or cut short; fetch or write it again."
        ) from error
    if not layers:
        raise FileError(f"{path}: holds no layers; expected a caffemodel, the weights that Caffe saves.")
    return weights


def _layer(content: memoryview, source: str) -> tuple[str, list[np.ndarray]]:
    """The name and the blobs of a LayerParameter."""
    layer = fields("LayerParameter")
    name = ""
    blobs = []
    for number, part in byte_fields(content):
        if number == layer["name"].number:
            name = str(part, "utf-8")
        elif number == layer["blobs"].number:
            blobs.append(part)
    arrays = []
    for index, part in enumerate(blobs):
        blob: Any = message_class("BlobProto")()
        blob.ParseFromString(part)
        arrays.append(to_array(blob, f"{source}: layer {name!r}, blob {index}"))
    return name, arrays


def write_weights(path: str | os.PathLike[str], params: Mapping[str, Sequence[np.ndarray]]) -> None:
    """Write parameters by layer name as a V2 caffemodel (float32), whole or not at all.

    Raises `FileError` if the file cannot be written or would pass protobuf's 2 GiB.
    """
    size = sum(4 * array.size for arrays in params.values() for array in arrays)
    # Names and shapes take little beside the numbers; 1 MiB is left for them.
    if size > MAX_BYTES - (1 << 20):
        raise FileError(f"{path}: {size:,} bytes of weights do not fit; a caffemodel ends at 2 GiB.")
    model: Any = message_class("NetParameter")()
    for name, arrays in params.items():
        layer = model.layer.add(name=name)
        for array in arrays:
            numbers = message_class("RawBlob")(data=np.ascontiguousarray(array, dtype="<f4").tobytes())
            blob = layer.blobs.add()
            blob.MergeFromString(numbers.SerializeToString())
            blob.shape.dim.extend(array.shape)
    with atomic_write(path) as temporary:
        temporary.write_bytes(model.SerializeToString())
