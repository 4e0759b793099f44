"""Writes nets for other engines: a prototxt and weights that Caffe and OpenCV's dnn read."""

from __future__ import annotations

import dataclasses
import math
import os
import re
import warnings
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import SpecError
from fcnlite.formats.caffe import opencv
from fcnlite.formats.caffe.prototxt import write_net
from fcnlite.formats.caffe.schema import message_class
from fcnlite.formats.caffe.writing import Pieces, caffemodel_weights, hdf5_weights, write_together
from fcnlite.formats.exportable import (
    Exportable,
    check_complete,
    float32_params,
    inference_layers,
    inference_schedule,
    input_shapes,
)
from fcnlite.layers.base import Layer

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
"""The types that may overwrite their first bottom; others read it again after writing, or change its shape."""


def save(
    net: Exportable,
    prototxt: str | os.PathLike[str],
    weights: str | os.PathLike[str],
    *,
    outputs: Sequence[str] | None = None,
    dialect: str = "caffe",
) -> None:
    """Write `net` as a prototxt and its weights: HDF5 if the name ends in `.h5`, otherwise a binary caffemodel.

    By default the prototxt holds the whole description, with the layers of both phases. With `outputs`, blobs by name,
    it holds only the layers that compute them in phase TEST; OpenCV, which has no losses, reads only such nets.
    `dialect`: "caffe" writes what Caffe (BVLC) reads, and warns of layers that OpenCV then cannot run; "opencv" writes
    what OpenCV 4 runs, `ceil_mode` for `round_mode` and some types of forks, which Caffe itself does not read. The
    matrix of an InfogainLoss goes into a binaryproto beside the prototxt. All files are written, or none. Raises
    `SpecError`, naming the layer, for a description that Caffe cannot express, and `FileError` if a file cannot be
    written.
    """
    spec = net.spec if outputs is None else _only(net.spec, outputs)
    files: list[tuple[str | os.PathLike[str], Pieces]] = []
    layers = []
    if dialect not in ("caffe", "opencv"):
        raise SpecError(f"dialect is {dialect!r}; expected 'caffe' or 'opencv'.")
    if dialect == "caffe" and (stumbling := [layer.name for layer in spec if opencv.stumbles(layer)]):
        warnings.warn(
            f"{prototxt}: Caffe reads it, but OpenCV cannot run round_mode FLOOR ({', '.join(stumbling[:4])}); for "
            "OpenCV, save with dialect='opencv'.",
            stacklevel=2,
        )
    for layer in spec:
        _check(layer, dialect)
        if dialect == "opencv":
            layer = opencv.in_opencv_words(layer)
        if layer.type == "Parameter":  # the reader gave it a bottom
            layer = dataclasses.replace(layer, bottom=())
        if "matrix" in layer.options and layer.type == "InfogainLoss":
            source = f"{Path(prototxt).stem}.{re.sub('[^0-9A-Za-z_.-]', '_', layer.name)}.binaryproto"
            files.append((Path(prototxt).parent / source, [_matrix(layer.options["matrix"])]))
            options = {name: value for name, value in layer.options.items() if name != "matrix"}
            layer = dataclasses.replace(layer, options={**options, "source": source})
        layers.append(layer)
    text = write_net(dataclasses.replace(spec, layers=tuple(layers)))
    names = {layer.name for layer in spec}
    check_complete(net, weights, names)
    params = {name: arrays for name, arrays in float32_params(net, weights).items() if name in names}
    if os.fspath(weights).endswith(".h5"):
        pieces = hdf5_weights(weights, params)
    else:
        pieces = caffemodel_weights(weights, params, text)
    write_together([*files, (prototxt, [text.encode()]), (weights, pieces)])


def _only(spec: NetSpec, outputs: Sequence[str]) -> NetSpec:
    """The net of the layers that the outputs need, without include and exclude rules, and with Inputs as its inputs."""
    layers = inference_layers(spec)
    schedule = inference_schedule(layers, outputs)
    runs = {step.layer.spec.name for step in schedule.steps}
    kept = []
    for layer in layers:
        if layer.spec.name in runs:
            kept.append(dataclasses.replace(layer.spec, include=(), exclude=()))
        elif not layer.spec.bottom and any(top in schedule.inputs for top in layer.spec.top):
            kept.append(_input(layer, schedule.inputs))
    return dataclasses.replace(spec, layers=tuple(kept), level=0, stage=())


def _input(layer: Layer, read: Container[str]) -> LayerSpec:
    """An Input that replaces a layer without bottoms, with the tops that are read."""
    shapes = {top: shape for top, shape in input_shapes(layer).items() if top in read}
    options = {"shape": [{"dim": list(shape)} for shape in shapes.values()]}
    return LayerSpec(layer.spec.name, "Input", (), tuple(shapes), options)


def _check(layer: LayerSpec, dialect: str) -> None:
    """Raise `SpecError` for a layer that the reader does not have, cannot size, or computes differently.

    In fcnlite, a blob that a layer writes in place keeps its earlier value for other readers; in Caffe both values
    share one memory.
    """
    where = f"layer {layer.name!r} ({layer.type})"
    if dialect == "caffe" and layer.type not in _TYPES.split():
        raise SpecError(f"{where}: Caffe has no layer of this type; `net.save` writes the net in fcnlite's own format.")
    if layer.type == "Input" and not layer.options.get("shape"):
        raise SpecError(f"{where}: has no shape, which Caffe needs; add `input_param {{ shape {{ dim: ... }} }}`.")
    for blob in set(layer.top) & set(layer.bottom):
        if layer.type not in _IN_PLACE.split() or layer.bottom.index(blob) != layer.top.index(blob):
            raise SpecError(f"{where}: writes its bottom {blob!r} in place, which Caffe cannot; rename its top.")


def _matrix(values: Any) -> bytes:
    """The K² numbers of an InfogainLoss as a binaryproto of 1×1×K×K, the shape that old versions of Caffe require."""
    flat = np.asarray(values, dtype=np.float32).ravel()
    classes = math.isqrt(flat.size)
    blob: Any = message_class("BlobProto")(data=flat.tolist(), num=1, channels=1, height=classes, width=classes)
    return bytes(blob.SerializeToString())
