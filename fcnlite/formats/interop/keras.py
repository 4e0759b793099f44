"""Reads VGG-16 from Keras' HDF5 files: vgg16_weights_tf_dim_ordering_tf_kernels.h5, with or without top.

Each layer is a group (block1_conv1, ..., predictions) with one weight and one bias somewhere below it. Older files call
them block1_conv1_W_1:0 and block1_conv1_b_1:0, newer ones block1_conv1/kernel:0 and bias:0; a whole model has these
groups in `model_weights`. The number of axes tells a weight from a bias, so names do not matter.

A convolution's weight is H×W×I×O in Keras and O×I×H×W here. An inner product's is I×O in Keras; the I of fc1 is
H×W×C in Keras and C×H×W here. Keras converted Caffe's weights and uses Caffe's input, BGR minus a mean, so the weights
need no other change. Its mean (103.939, 116.779, 123.68) differs from the FCN reference's by at most one level of 255.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from fcnlite.arrays import Array
from fcnlite.errors import FileError
from fcnlite.formats import hdf5
from fcnlite.formats.hdf5 import HDF5File
from fcnlite.formats.interop import vgg16

_CONVOLUTIONS = {f"block{name[4]}_conv{name[6]}": name for name in vgg16.CONVOLUTIONS}
_INNER_PRODUCTS = dict(zip(("fc1", "fc2", "predictions"), vgg16.INNER_PRODUCTS, strict=True))

_MARKS = ("block1_conv1", "layer_names", "model_weights")
_DEPTH = 3
"""Maximum depth of groups within a layer's group."""
_MEMBERS = 8
"""Maximum number of members of a group: a weight and a bias, or a group that holds them."""


def is_weight_file(path: str | os.PathLike[str]) -> bool:
    """Whether `path` is a weight file or a model from Keras, of any net."""
    try:
        with hdf5.opened(path) as file:
            return any(file.holds(file.root, mark) or mark in file.root.attrs for mark in _MARKS)
    except FileError:
        return False


def read_weights(path: str | os.PathLike[str]) -> dict[str, list[Array]]:
    """The parameters by Caffe's layer names and in Caffe's shapes, float32.

    Raises `FileError` for a file that is missing or damaged, or does not hold a VGG-16 with channels last.
    """
    weights: dict[str, list[Array]] = {}
    with hdf5.opened(path) as file:
        whole_model = file.holds(file.root, "model_weights")
        root = file.group(file.root, "model_weights") if whole_model else file.root
        for group, name in {**_CONVOLUTIONS, **_INNER_PRODUCTS}.items():
            if file.holds(root, group):
                weights[name] = _weight_and_bias(file, file.group(root, group), group)
    for name, (weight, _) in weights.items():
        if name in vgg16.CONVOLUTIONS:
            weights[name][0] = np.ascontiguousarray(weight.transpose(3, 2, 0, 1))
        elif name == "fc6" and "conv5_3" in weights:
            inputs, outputs = weight.shape
            channels = len(weights["conv5_3"][0])
            side = vgg16.pool5_side(path, inputs, channels)
            by_axis = weight.reshape(side, side, channels, outputs)
            weights[name][0] = by_axis.transpose(3, 2, 0, 1).reshape(outputs, inputs)
        else:
            weights[name][0] = np.ascontiguousarray(weight.T)
    vgg16.check(path, weights)
    return weights


def _weight_and_bias(file: HDF5File, group: Any, name: str) -> list[Array]:
    data_sets = list(_data_sets(file, group, _DEPTH))
    weights = [each for each in data_sets if len(each.shape) == (4 if name in _CONVOLUTIONS else 2)]
    biases = [each for each in data_sets if len(each.shape) == 1]
    if len(weights) != 1 or len(biases) != 1:
        raise FileError(f"{file.path}: expected one weight and one bias in layer {name!r}, as in Keras' VGG-16.")
    return [np.asarray(each[()], np.float32) for each in (*weights, *biases)]


def _data_sets(file: HDF5File, group: Any, depth: int) -> Iterator[Any]:
    """The data sets in a group and in the groups within it, down to `depth` levels."""
    if not depth or len(group) > _MEMBERS:
        raise file.damaged(f"{str(group.name)[:80]!r} holds more than a weight and a bias")
    for name in group:
        if file.is_group(group, name):
            yield from _data_sets(file, file.group(group, name), depth - 1)
            continue
        found, _ = file.data_set(group, name)
        if found.dtype.kind != "f" or found.dtype.itemsize > 8:
            raise FileError(f"{file.path}: data set {str(found.name)[:80]!r} holds {found.dtype}; expected float32.")
        yield found
