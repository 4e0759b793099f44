"""A prototxt whose data layers read files (Data, HDF5Data, ImageData, ...), fed by a data set instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from fcnlite.arrays import Shape
from fcnlite.data import Dataset
from fcnlite.data.loader import blobs
from fcnlite.description.model_info import Preprocessing
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import DataError
from fcnlite.layers.data import FCN_REFERENCE, DataLayer
from fcnlite.layers.registry import create


def fed_by(spec: NetSpec, dataset: Dataset, crop: tuple[int, int] | None) -> NetSpec:
    """`spec` with an Input of the data set's shapes in place of each data layer, in both phases.

    The FCN reference's data layers stay: their shapes are known. `crop`: height and width that pictures are cut to.
    Raises `DataError` where a data layer makes other blobs than the data set has.
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
        if tops:  # not the data layer of the other phase
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
    """By blob; those of the first sample."""
    found = blobs(dataset[0], dataset.preprocessing or Preprocessing())
    return {name: (1, array.shape[0], *(crop or array.shape[1:])) for name, array in found.items()}


def _is_gray(layer: LayerSpec) -> bool:
    """Whether the layer makes pictures of one channel, whatever the files hold."""
    return bool(layer.options.get("force_gray")) or layer.options.get("is_color") is False


def _gray(shape: Shape) -> Shape:
    return (shape[0], 1, *shape[2:])


def _input(name: str, shapes: Mapping[str, Shape]) -> LayerSpec:
    return LayerSpec(name, "Input", (), tuple(shapes), {"shape": [{"dim": list(shape)} for shape in shapes.values()]})
