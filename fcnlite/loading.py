"""`fcnlite.load`: a net from files, with its weights and its preprocessing."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from fcnlite import surgery
from fcnlite.description.model_info import MeanPicture, ModelInfo, Preprocessing
from fcnlite.engine.parameter import Parameter
from fcnlite.errors import FileError, ShapeError, SpecError
from fcnlite.formats import caffe, storage
from fcnlite.layers.base import Layer
from fcnlite.layers.registry import UnknownLayer
from fcnlite.net import Net

Mean: TypeAlias = "float | Sequence[float] | str | os.PathLike[str]"

_SHOWN = 8
"""The number of names that a warning lists."""


def load(
    source: str | os.PathLike[str],
    weights: str | os.PathLike[str] | None = None,
    /,
    *,
    path: str = "fast",
    phase: str = "TEST",
    dtype: str = "float32",
    seed: int = 0,
    low_memory: bool = False,
    mean: Mean | None = None,
    scale: float | None = None,
    order: str | None = None,
) -> Net:
    """A net from a weight file of fcnlite (.h5), or from a prototxt with or without weights; see `Net` for its options.

    `net.info.preprocessing` says how the net takes pictures; its `str` also says where that was found. `mean` (one
    number, one for each channel in the order of the net's input, or a binaryproto or .npy file), `scale` and `order`
    ("BGR", "RGB") set it. Otherwise the weight file or the description's data layer determines it. If a prototxt comes
    with weights, but neither determines it, the likeliest preprocessing is assumed, with a warning.

    The prototxt may be written for any version of Caffe. `weights` may be a caffemodel of any version, a
    `.caffemodel.h5` or a weight file of fcnlite; without it the parameters get their initial values from their fillers.
    Weights are matched by layer name; a net whose description lacks input sizes gets them at its first forward. The
    BatchNorm of NVIDIA's Caffe also scales; with such weights the net gets a Scale after each BatchNorm.

    Raises `FileError` for a file that cannot be read, `SpecError` for an invalid description, `ShapeError` if a weight
    does not fit its layer or a layer has fewer parameters than weights. Warns of layers without weights, of weights
    without a layer, of layers of unknown types, of assumed preprocessing, and of upsampling whose weights are zero.
    """
    if storage.is_weight_file(source):
        content = storage.load(source)
        spec, info = content.spec, content.info
        given: surgery.Weights = content.params
        origin, assumed = source, False
    else:
        if Path(source).suffix in (".h5", ".hdf5", ".caffemodel"):
            # `storage.load` raises an error for a file that is missing, of another format, or from a newer fcnlite.
            if Path(source).suffix != ".caffemodel":
                storage.load(source)
            raise FileError(f"{source}: holds weights only; give the prototxt first: load('net.prototxt', '{source}').")
        spec = caffe.read_net(source)
        given, origin = ({}, source) if weights is None else (read_weights(weights), weights)
        preprocessing, assumed, _ = caffe.feeding(spec, source, given)
        info = ModelInfo(preprocessing=preprocessing)
    if weights is not None and origin != weights:
        given, origin = read_weights(weights), weights
    spec = caffe.with_bn_variants(caffe.with_scales(spec, given), given)
    if not (mean is scale is order is None):
        info, assumed = replace(info, preprocessing=set_preprocessing(info.preprocessing, mean, scale, order)), False
    net = Net(spec, phase=phase, path=path, dtype=dtype, seed=seed, low_memory=low_memory, info=info)
    for layer in net.layers:
        if isinstance(layer, UnknownLayer) and layer.spec.bottom:
            warnings.warn(f"{layer.error()} What depends on it cannot be computed.", stacklevel=2)
    if assumed and weights is not None:
        warnings.warn(
            f"{source}: pictures are fed as {info.preprocessing}; if that is wrong, set it by mean=, scale= and order= "
            "(--mean, --scale, --order).",
            stacklevel=2,
        )
    if given:
        take(net, given, origin)
    surgery.warn_of_zero_upsampling(net, source)
    return net


def read_weights(path: str | os.PathLike[str]) -> surgery.Weights:
    """The parameters of a caffemodel (also in HDF5) or of a weight file of fcnlite, by layer name."""
    return storage.load(path).params if storage.is_weight_file(path) else caffe.read_weights(path)


def take(net: Net, weights: surgery.Weights, origin: str | os.PathLike[str]) -> None:
    """Put weights into the net by layer name. `origin`: the file of the weights. Raises and warns as `load` does."""
    layers = {layer.spec.name: layer for layer in net.layers}
    weights = caffe.split_scales(weights, [name for name, layer in layers.items() if layer.type == "BatchNorm"])
    unused = [name for name in weights if name not in layers]
    if len(unused) == len(weights):
        raise ShapeError(
            f"{origin}: none of its layers ({_shown(unused)}) is in the net; "
            "check that the description and the weights belong together."
        )
    surgery.check_counts(net, weights, origin)

    def take_for(sized: Set[str]) -> None:
        """Copy the weights of these layers, which now have parameters."""
        surgery.check_counts(net, weights, origin)
        given = {name: weights[name] for name in sized if name in weights}
        transfers = [each for each in surgery.transplant(net, given) if each.layer in sized]
        wrong = [each for each in transfers if each.outcome == "shape differs"]
        if wrong:
            raise ShapeError(
                f"{origin}: {len(wrong)} parameters do not fit the net, the first is {wrong[0]}; check that the "
                "description and the weights belong together. To fine-tune, rename the layer, so that it starts by its "
                "fillers, or take what fits, with `train --init` or fcnlite.surgery.transplant."
            )
        if left := sorted({each.layer for each in transfers if each.outcome == "left"}):
            warnings.warn(
                f"{origin}: has no weights for {_shown(left)}; these layers start with the values of their fillers.",
                stacklevel=4,
            )
        if lost := [name for name in given if _divides_by_zero(layers[name], net.params[name])]:
            warnings.warn(
                f"{origin}: {_shown(lost)} (BatchNorm) holds statistics and divides them by 0, which gives 0, as in "
                "Caffe. Some versions of NVIDIA's Caffe write such files and use the statistics undivided; for those, "
                "set params[NAME][2] to 1.",
                stacklevel=4,
            )

    net.loaded((name for name, arrays in weights.items() if arrays), origin)
    net.when_sized(take_for)
    if unused:
        warnings.warn(f"{origin}: its layers {_shown(unused)} are not in the net and were not used.", stacklevel=3)


def _divides_by_zero(layer: Layer, parameters: Sequence[Parameter]) -> bool:
    """Whether the layer is a BatchNorm with sums of statistics, but 0 as the number to divide them by."""
    if layer.type != "BatchNorm":
        return False
    mean, variance, divisor = (each.array for each in parameters)
    return not divisor.any() and bool(mean.any() or variance.any())


def _shown(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def set_preprocessing(
    preprocessing: Preprocessing, mean: Mean | None, scale: float | None, order: str | None
) -> Preprocessing:
    """`preprocessing` with these arguments of `load` applied. Raises `SpecError` for a value that does not fit."""
    given = [name for name, value in (("mean", mean), ("scale", scale), ("order", order)) if value is not None]
    if not given:
        return preprocessing
    if order is not None:
        if order.upper() not in ("BGR", "RGB") or preprocessing.color not in ("BGR", "RGB"):
            raise SpecError(
                f"order is {order!r}, but the net takes {preprocessing.color}; expected BGR or RGB, for a net "
                "that takes colours."
            )
        if order.upper() != preprocessing.color:  # mean and std follow their channels
            picture = preprocessing.mean_picture
            preprocessing = replace(
                preprocessing,
                color=order.upper(),
                mean=preprocessing.mean[::-1],
                std=preprocessing.std[::-1],
                mean_picture=None if picture is None else MeanPicture.of(picture.array[::-1]),
            )
    channels = len(preprocessing.mean)
    if isinstance(mean, (str, os.PathLike)):
        picture = caffe.mean_of(mean)
        if picture.channels == 1 < channels:
            picture = MeanPicture.of(np.repeat(picture.array, channels, axis=0))
        if picture.channels != channels:
            raise SpecError(f"{mean}: holds a mean of {picture.channels} channels, but the net takes {channels}.")
        one = picture.height == picture.width == 1
        preprocessing = replace(preprocessing, mean=picture.mean, mean_picture=None if one else picture)
    elif mean is not None:
        values = (float(mean),) * len(preprocessing.mean) if isinstance(mean, (int, float)) else tuple(map(float, mean))
        if len(values) != channels or not all(map(math.isfinite, values)):
            raise SpecError(
                f"mean is {', '.join(map(str, values))}; expected {channels} numbers, one for each channel, or one "
                "number for all."
            )
        preprocessing = replace(preprocessing, mean=values, mean_picture=None)
    if scale is not None:
        if not math.isfinite(scale) or scale == 0:
            raise SpecError(f"scale is {scale}; expected a number other than 0, such as 1 or 0.00392157 (1/255).")
        preprocessing = replace(preprocessing, scale=float(scale))
    words = " and ".join((", ".join(given[:-1]), given[-1])) if len(given) > 1 else given[0]
    # A mean that is given replaces the one from the files, and the text about its source.
    rest = f"; {preprocessing.source}" if preprocessing.source and mean is None else ""
    return replace(preprocessing, source=f"{words} as given{rest}")
