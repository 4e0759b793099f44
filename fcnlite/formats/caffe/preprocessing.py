"""Finds the preprocessing of a Caffe net: as its files specify it, else the most likely one.

Caffe's DataTransformer computes (value − mean) · scale, with a mean picture, one mean, or one mean per channel; the
channels are blue, green, red. Deploy files have no data layer and specify none of this.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from fcnlite.description.model_info import MeanPicture, Preprocessing
from fcnlite.description.reference_feeding import NYUD
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import FileError, SpecError
from fcnlite.files import is_file, read_npy
from fcnlite.formats.caffe.blobs import read_blob
from fcnlite.formats.caffe.data_source import DataSource, data_source

Weights = Mapping[str, Sequence[Any]]

IMAGENET = Preprocessing().mean
"""The mean (blue, green, red) that the FCN reference and most published nets subtract."""
_KEEPS_CHANNELS = ("Power", "Scale", "Bias", "Split", "Dropout", "Reshape", "Flatten")
"""Layers whose top has the channels of the bottom."""


class Feeding(NamedTuple):
    """The preprocessing of a net's pictures, and how certain it is."""

    preprocessing: Preprocessing
    assumed: bool
    """Whether the files leave a part unspecified, so that the user should be warned."""
    centred: bool = False
    """Whether a layer of the net centres the input."""


def feeding(spec: NetSpec, path: str | os.PathLike[str], weights: Weights | None = None) -> Feeding:
    """The preprocessing of the net `spec`, which was read from the file `path`.

    `weights` give the number of input channels if the description does not. Raises `FileError` for a mean file that
    cannot be read, `SpecError` for means that do not fit the channels.
    """
    source = data_source(spec)
    if source is not None and source.dataset:
        return Feeding(_of_reference(source), assumed=False)
    blob = _picture(spec, source)
    channels = _channels(spec, blob, source, weights or {})
    if source is not None:
        return _of_data_layer(source, path, channels)
    shape = _of_channels(channels or 3)
    centring = centring_layer(spec, blob)
    if centring is not None:
        words = f"no data layer; layer {centring.name!r} ({centring.type}) of the net centres its input itself"
        return Feeding(replace(shape, source=words), assumed=True, centred=True)
    if len(shape.mean) == 3:
        words = "assumed: ImageNet's mean, since the description has no data layer"
        return Feeding(replace(shape, mean=IMAGENET, source=words), assumed=True)
    return Feeding(replace(shape, source="assumed, since the description has no data layer"), assumed=True)


def centring_layer(spec: NetSpec, blob: str) -> LayerSpec | None:
    """The layer that shifts the values of the picture `blob` before the first filters, or None."""
    same_channels = {blob}
    for layer in spec:
        if not layer.bottom or layer.bottom[0] not in same_channels:
            continue
        shifts = layer.type == "Power" and layer.options.get("shift", 0.0) != 0
        biased = layer.type == "Bias" or (layer.type == "Scale" and layer.options.get("bias_term", False))
        if shifts or biased or layer.type in ("BatchNorm", "MVN"):
            return layer
        if layer.type in _KEEPS_CHANNELS:
            same_channels.update(layer.top)
    return None


def mean_of(path: str | os.PathLike[str]) -> MeanPicture:
    """The mean in a binaryproto or .npy file: C×H×W, or one value per channel (C×1×1).

    Raises `FileError` for a file that holds no such array.
    """
    array = read_npy(path) if Path(path).suffix == ".npy" else read_blob(path)
    if array.ndim == 4 and len(array) == 1:
        array = array[0]
    if array.ndim == 1:
        array = array[:, None, None]
    if array.dtype.kind not in "uif":
        raise FileError(f"{path}: holds no numbers; expected a mean picture, C×H×W.")
    try:
        return MeanPicture.of(array)
    except SpecError as error:
        raise FileError(f"{path}: {error}") from error


def _of_reference(source: DataSource) -> Preprocessing:
    """The preprocessing of a Python layer of the FCN reference."""
    words = f"layer {source.layer!r}: the FCN reference's {source.dataset}"
    mean = source.mean * 3 if len(source.mean) == 1 else source.mean
    if source.kind == "color":
        first = Preprocessing(mean=mean if len(mean) == 3 else IMAGENET)
    else:
        first = replace(NYUD[source.kind], mean=source.mean)
    others = {blob: NYUD[modality] for blob, modality in source.others.items()}
    return replace(first, others=others, source=words)


def _of_data_layer(source: DataSource, path: str | os.PathLike[str], channels: int | None) -> Feeding:
    layer, words, assumed = f"layer {source.layer!r}", "", False
    picture: MeanPicture | None = None
    mean = source.mean
    if source.mean_file:
        found = _find(path, source.mean_file)
        if found is not None:
            picture = mean_of(found)
            mean, words = picture.mean, f"{layer}: mean_file {Path(source.mean_file).name}"
            if picture.array[0].size == 1:
                picture = None
        else:
            mean, assumed = (IMAGENET if channels in (None, 3) else (0.0,)), True
            words = (
                f"{layer} names the mean_file {source.mean_file!r}, which is not there; put it beside the prototxt or "
                f"give it as the mean; assumed: {'ImageNet' if len(mean) == 3 else 'no'} mean"
            )
    elif mean:
        words = f"{layer}: mean_value"
    elif source.type == "HDF5Data":
        words, assumed = f"{layer} feeds HDF5 files as they are; assumed: pictures less no mean", True
    else:
        words = f"{layer} subtracts no mean"
    if source.crop_size:
        words += f"; its crop_size {source.crop_size} is not applied, pictures are taken whole"
    wanted = _of_channels(channels or (len(mean) if len(mean) > 1 else 3))
    count = len(wanted.mean)
    if len(mean) not in (0, 1, count):
        raise SpecError(f"{path}: {layer} has a mean of {len(mean)} channels, but the net takes {count}.")
    means = mean if len(mean) == count else (mean or (0.0,)) * count
    if picture is not None and picture.channels != count:
        picture = None  # one channel serves all; `mean` holds its mean
    preprocessing = replace(
        wanted,
        mean=means,
        scale=source.scale,
        mean_picture=picture,
        crop_size=source.crop_size if picture is not None else 0,
        source=words,
    )
    return Feeding(preprocessing, assumed)


def _of_channels(count: int) -> Preprocessing:
    """The preprocessing of pictures with `count` channels (colour, gray or bands), without a mean."""
    if count in (1, 3):
        return Preprocessing(color="GRAY" if count == 1 else "BGR", mean=(0.0,) * count)
    return Preprocessing("BANDS", (0.0,) * count, bands=tuple(range(1, count + 1)), picture_bands=count)


def _find(path: str | os.PathLike[str], name: str) -> Path | None:
    """The mean file: `name` relative to the prototxt or the working directory, else that file beside the prototxt."""
    folder = Path(path).parent
    for candidate in (folder / name, Path(name), folder / Path(name).name):
        if is_file(candidate):
            return candidate
    return None


def _picture(spec: NetSpec, source: DataSource | None) -> str:
    """The blob that holds the picture: the data layer's first top, else the first input."""
    for layer in spec:
        if not layer.bottom and layer.top and (source is None or layer.name == source.layer):
            return layer.top[0]
    return "data"


def _channels(spec: NetSpec, blob: str, source: DataSource | None, weights: Weights) -> int | None:
    """The number of channels of the input `blob`, from its shape, the first filters, or the data layer."""
    for layer in spec:
        if layer.type == "Input" and blob in layer.top:
            shapes = layer.options.get("shape", ())
            dims: Sequence[int] = shapes[min(layer.top.index(blob), len(shapes) - 1)].get("dim", ()) if shapes else ()
            if len(dims) == 4 and dims[1] >= 1:
                return int(dims[1])
    same_channels = {blob}
    for layer in spec:
        if layer.bottom and layer.bottom[0] in same_channels:
            arrays = weights.get(layer.name, ())
            if layer.type == "Convolution" and arrays and arrays[0].ndim == 4:
                return arrays[0].shape[1] * int(layer.options.get("group", 1))
            if layer.type in (*_KEEPS_CHANNELS, "BatchNorm", "MVN", "LRN", "Pooling", "ReLU"):
                same_channels.update(layer.top)
    if source is not None and source.gray is not None:
        return 1 if source.gray else 3
    return None
