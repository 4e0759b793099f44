"""Replacing the data layers of a prototxt that read files (Data, HDF5Data, ImageData, ...) by inputs for a data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fcnlite.arrays import Shape
from fcnlite.data import Dataset
from fcnlite.data.loader import blobs
from fcnlite.description.model_info import Preprocessing
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import DataError
from fcnlite.formats import caffe
from fcnlite.layers.data import FCN_REFERENCE, DataLayer
from fcnlite.layers.registry import create


def training_options(path: str) -> dict[str, Any]:
    """The options of a training that the data layers of a prototxt name: data, batch, crop and mirror.

    Empty if they name no data that fcnlite reads. Raises the errors of `caffe.training_data`.
    """
    found = caffe.training_data(caffe.read_net(path), path)
    if found is None:
        return {}
    side = found.crop_size
    augment = [*(["flip"] if found.mirror else []), *([f"crop={side}:{side}"] if side else [])]
    splits = {"train_split": found.train_split, "val_split": found.val_split}
    return {
        "data": found.data,
        "root": found.root,
        "data_option": tuple(f"{name}={value}" for name, value in found.options.items()),
        **{name: value for name, value in splits.items() if value},
        **({} if found.validates else {"validation": False}),
        **({"batch_size": found.batch_size} if found.batch_size else {}),
        "augment": ("none", *augment),
    }


def replace_data_layers(spec: NetSpec, dataset: Dataset, crop: tuple[int, int] | None) -> NetSpec:
    """`spec` with each data layer replaced, in both phases, by an Input with the shapes of the data set.

    The data layers of the FCN reference stay, because their shapes are known. `crop` is the height and width that
    pictures are cropped to. Raises `DataError` where a data layer makes blobs that the data set does not have.
    """
    if not any(map(_reads_files, spec)):
        return spec
    shapes = _shapes(dataset, crop)
    layers: list[LayerSpec] = []
    made: set[str] = set()
    for layer in spec:
        if not _reads_files(layer):
            layers.append(layer)
            continue
        unknown = [top for top in layer.top if top not in shapes]
        if unknown:
            raise DataError(
                f"layer {layer.name!r} ({layer.type}) makes {', '.join(layer.top)}, but data set {dataset.name!r} "
                f"gives {', '.join(shapes)}; rename {', '.join(unknown)} in the prototxt."
            )
        tops = tuple(top for top in layer.top if top not in made)
        made.update(tops)
        if tops:  # otherwise the data layer of the other phase has made them
            fed = {
                top: _gray(shapes[top]) if _is_gray(layer) and top in dataset.pictures else shapes[top] for top in tops
            }
            layers.append(_input(layer.name, fed))
    return replace(spec, layers=tuple(layers))


def _reads_files(layer: LayerSpec) -> bool:
    if layer.bottom or layer.options.get("layer") in FCN_REFERENCE:
        return False
    return isinstance(create(layer, "TRAIN"), DataLayer)


def _shapes(dataset: Dataset, crop: tuple[int, int] | None) -> dict[str, Shape]:
    """The shapes of the first sample, by blob."""
    found = blobs(dataset[0], dataset.preprocessing or Preprocessing())
    return {name: (1, array.shape[0], *(crop or array.shape[1:])) for name, array in found.items()}


def _is_gray(layer: LayerSpec) -> bool:
    """Whether the layer makes pictures of one channel from any file."""
    return bool(layer.options.get("force_gray")) or layer.options.get("is_color") is False


def _gray(shape: Shape) -> Shape:
    return (shape[0], 1, *shape[2:])


def _input(name: str, shapes: Mapping[str, Shape]) -> LayerSpec:
    return LayerSpec(name, "Input", (), tuple(shapes), {"shape": [{"dim": list(shape)} for shape in shapes.values()]})
