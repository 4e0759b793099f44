"""Reads caffemodels: the weights of a net as a binary protobuf message.

The file is a NetParameter whose layers hold `blobs`, each with a shape and its numbers. V0 and V1 store layers in other
fields than V2, and shapes as four sizes.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from fcnlite.errors import FileError
from fcnlite.formats import hdf5
from fcnlite.formats.caffe.blobs import Span, to_array
from fcnlite.formats.caffe.hdf5_files import read_hdf5_weights
from fcnlite.formats.caffe.reading import open_mapped
from fcnlite.formats.caffe.schema import fields
from fcnlite.formats.caffe.wire import BYTES, records

MAX_BYTES = 2**31 - 1
"""Protobuf's limit for one message."""
MAX_LAYERS = 100_000
"""More layers than any net has; limits the time that a file of empty layers can take."""

_NET = fields("NetParameter")
_V2, _V1, _V0 = "LayerParameter", "V1LayerParameter", "V0LayerParameter"
_MESSAGES = {_NET["layer"].number: _V2, _NET["layers"].number: _V1}


def read_weights(path: str | os.PathLike[str]) -> dict[str, list[np.ndarray]]:
    """The parameters by layer name: read-only float32 arrays in the shapes of the file.

    The file is a caffemodel of any version or a `.caffemodel.h5`. The last of several layers with one name counts,
    as in Caffe. Raises `FileError` for other files, and for blobs
    whose numbers do not fit their shape or are not finite.
    """
    return read_hdf5_weights(path) if hdf5.is_hdf5(path) else _read_binary(path)


def _read_binary(path: str | os.PathLike[str]) -> dict[str, list[np.ndarray]]:
    from google.protobuf.message import DecodeError

    weights: dict[str, list[np.ndarray]] = {}
    layers = 0
    try:
        with open_mapped(path, MAX_BYTES) as (stream, data):
            for record in records(data, 0, len(data)):
                if record.number not in _MESSAGES or record.wire_type != BYTES:
                    continue
                layers += 1
                if layers > MAX_LAYERS:
                    raise FileError(f"{path}: holds more than {MAX_LAYERS:,} layers.")
                name, arrays = _layer(stream, data, (record.start, record.end), _MESSAGES[record.number], str(path))
                if arrays and name in weights:
                    warnings.warn(
                        f"{path}: two layers with weights are called {name!r}; as in Caffe, the last ones count.",
                        stacklevel=4,
                    )
                if arrays:
                    weights[name] = arrays
    except (ValueError, DecodeError) as error:
        raise FileError(
            f"{path}: is not a caffemodel, or it is damaged or cut short; download or write it again."
        ) from error
    if not layers:
        raise FileError(f"{path}: holds no layers; expected a caffemodel, the weights that Caffe saves.")
    return weights


def _layer(stream: BinaryIO, data: memoryview, layer: Span, message: str, source: str) -> tuple[str, list[np.ndarray]]:
    """The name and the blobs of a layer in any version's form."""
    name = ""
    blobs = []
    for field, span in _names_and_blobs(data, layer, message):
        if field == "name":
            name = str(data[span[0] : span[1]], "utf-8")
        else:
            blobs.append(span)
    return name, [
        to_array(stream, data, span, f"{source}: layer {name!r}, blob {index}") for index, span in enumerate(blobs)
    ]


def _names_and_blobs(data: memoryview, layer: Span, message: str) -> Iterator[tuple[str, Span]]:
    """The fields `name` and `blobs` of a layer, and those of the V0 layer inside a V1 layer."""
    wanted = {fields(message)[name].number: name for name in ("name", "blobs")}
    if message == _V1:
        wanted[fields(message)["layer"].number] = _V0
    for record in records(data, *layer):
        if record.wire_type == BYTES and record.number in wanted:
            span = (record.start, record.end)
            if wanted[record.number] == _V0:
                yield from _names_and_blobs(data, span, _V0)
            else:
                yield wanted[record.number], span
