"""Nets for other engines: a prototxt and weights that Caffe itself and OpenCV's dnn read."""

from __future__ import annotations

import dataclasses
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from fcnlite.caffe.caffemodel import weights_bytes
from fcnlite.caffe.prototxt import write_net
from fcnlite.caffe.schema import message_class
from fcnlite.caffe.writing import hdf5_bytes, write_together
from fcnlite.errors import SpecError
from fcnlite.exportable import Exportable, float32_params
from fcnlite.spec import LayerSpec, NetSpec

_TYPES = """
    AbsVal Accuracy ArgMax BatchNorm BatchReindex Bias BNLL Clip Concat ContrastiveLoss Convolution Crop Data
    Deconvolution Dropout DummyData Eltwise ELU Embed EuclideanLoss Exp Filter Flatten HDF5Data HDF5Output HingeLoss
    Im2col ImageData InfogainLoss InnerProduct Input Log LRN LSTM LSTMUnit MemoryData MultinomialLogisticLoss MVN
    Parameter Pooling Power PReLU Python Reduction ReLU Reshape RNN Scale Sigmoid SigmoidCrossEntropyLoss Silence
    Slice Softmax SoftmaxWithLoss Split SPP Swish TanH Threshold Tile WindowData
"""
"""The layer types of Caffe (BVLC, master)."""

_IN_PLACE = """
    AbsVal BatchNorm Bias BNLL Clip Dropout ELU Exp Log MVN Power PReLU Python ReLU Scale Sigmoid Softmax Swish TanH
    Threshold
"""
"""Those that may write over their first bottom. Others read it again once it is overwritten, or change its shape."""


def save(net: Exportable, prototxt: str | os.PathLike[str], weights: str | os.PathLike[str]) -> None:
    """Write `net` as a prototxt and its weights: HDF5 where the name ends in `.h5`, else a binary caffemodel.

    The description is written as it stands, with the layers of both phases. The matrix of an InfogainLoss goes into a
    binaryproto beside the prototxt. All files are written or none. Raises `SpecError`, naming the layer, for what Caffe
    has no words for, and `FileError` where a file cannot be written.
    """
    files: list[tuple[str | os.PathLike[str], bytes]] = []
    layers = []
    for layer in net.spec:
        _check(layer)
        if "matrix" in layer.options and layer.type == "InfogainLoss":
            source = f"{Path(prototxt).stem}.{re.sub('[^0-9A-Za-z_.-]', '_', layer.name)}.binaryproto"
            files.append((Path(prototxt).parent / source, _matrix(layer.options["matrix"])))
            options = {name: value for name, value in layer.options.items() if name != "matrix"}
            layer = dataclasses.replace(layer, options={**options, "source": source})
        layers.append(layer)
    _check_places(net.spec)
    text = write_net(dataclasses.replace(net.spec, layers=tuple(layers)))
    params = float32_params(net, weights)
    hdf5 = os.fspath(weights).endswith(".h5")
    content = hdf5_bytes(weights, params) if hdf5 else weights_bytes(weights, params, text)
    write_together([*files, (prototxt, text.encode()), (weights, content)])


def _check(layer: LayerSpec) -> None:
    """Raise `SpecError` for a layer that Caffe does not know or cannot size."""
    where = f"layer {layer.name!r} ({layer.type})"
    if layer.type not in _TYPES.split():
        raise SpecError(f"{where}: Caffe has no layer of this type; `net.save` keeps the net in a file of ours.")
    if layer.type == "Input" and not layer.options.get("shape"):
        raise SpecError(f"{where}: has no shape, which Caffe needs; add `input_param {{ shape {{ dim: ... }} }}`.")


def _check_places(spec: NetSpec) -> None:
    """Raise `SpecError` for a layer that writes over a bottom which Caffe still reads.

    Here a blob that is written in place keeps its earlier value for whoever reads that; in Caffe it is one memory.
    """
    for layer, blob in _written_in_place(spec):
        where = f"layer {layer.name!r} ({layer.type})"
        if layer.type not in _IN_PLACE.split() or layer.bottom.index(blob) != layer.top.index(blob):
            raise SpecError(f"{where}: writes its bottom {blob!r} in place, which Caffe cannot; rename its top.")


def _written_in_place(spec: NetSpec) -> Iterator[tuple[LayerSpec, str]]:
    for layer in spec:
        yield from ((layer, blob) for blob in layer.top if blob in layer.bottom)


def _matrix(values: Any) -> bytes:
    """The K² numbers of an InfogainLoss as a binaryproto of 1×1×K×K, which old Caffes want too."""
    flat = np.asarray(values, dtype=np.float32).ravel()
    classes = math.isqrt(flat.size)
    blob: Any = message_class("BlobProto")(data=flat.tolist(), num=1, channels=1, height=classes, width=classes)
    return bytes(blob.SerializeToString())
