"""Finds in a net's data layers what `train` reads: the data set with its options, the batch, the crop, the mirror.

The layers are those of Caffe and its forks that read pictures with label maps: two Data layers (LMDB), two ImageData
layers, HDF5Data, ImageSegData, DenseImageData, and the Python layers of the FCN reference.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fcnlite.description.spec import PHASES, LayerSpec, NetSpec
from fcnlite.errors import FileError, SpecError, quoted
from fcnlite.files import exists
from fcnlite.formats.caffe.data_source import data_source, feeds_filters

_SPLITS = {"TRAIN": "train", "TEST": "val"}
_PAIRED = {"Data": "lmdb", "ImageData": "list"}
"""The data set of two layers of one type, one for pictures and one for label maps."""
_SINGLE = {"ImageSegData": "list", "DenseImageData": "list", "HDF5Data": "hdf5"}


@dataclass(frozen=True)
class TrainingData:
    """The data that a net names for its training."""

    data: str
    """The name of the data set."""
    root: str
    options: Mapping[str, str] = field(default_factory=dict)
    train_split: str = ""
    val_split: str = ""
    validates: bool = False
    """Whether there is a split for phase TEST."""
    batch_size: int = 0
    crop_size: int = 0
    mirror: bool = False


def training_data(spec: NetSpec, path: str | os.PathLike[str]) -> TrainingData | None:
    """The data of the net `spec`, read from the file `path`; None if its data layers name none that are known.

    Raises `FileError` for a source that is not there, and `SpecError` for one that changes pictures in a way that
    `train` does not.
    """
    found = {phase: _of_phase(spec, phase, Path(path)) for phase in PHASES}
    train = found["TRAIN"]
    if train is None:
        return _of_reference(spec, Path(path))
    name, root, sources, layer = train
    options = _named("TRAIN", sources)
    if classes := _classes(spec):
        options["classes"] = str(classes)
    test = found["TEST"]
    validates = test is not None and (test[0], test[1]) == (name, root)
    if test is not None and validates:
        options.update(_named("TEST", test[2]))
    o = layer.options
    return TrainingData(
        name,
        root,
        options,
        validates=validates,
        batch_size=int(o.get("batch_size", 1)),
        crop_size=int(o.get("crop_size", 0)),
        mirror=bool(o.get("mirror", False)),
    )


def _named(phase: str, sources: Sequence[str]) -> dict[str, str]:
    """The options of a data set for the sources of a split: pictures, and label maps if they have a source."""
    split = _SPLITS[phase]
    return dict(zip((split, f"{split}_labels"), sources, strict=False))


_Found = tuple[str, str, list[str], LayerSpec]
"""Data set, root, sources of pictures and of label maps, and the layer of the pictures."""


def _of_phase(spec: NetSpec, phase: str, path: Path) -> _Found | None:
    given = frozenset(spec.stage)
    layers = [each for each in spec if not each.bottom and each.included(phase, spec.level, given)]
    for layer in layers:
        if layer.type in _SINGLE and len(layer.top) > 1 and layer.options.get("source"):
            return _SINGLE[layer.type], _root(layer, path), [_source(layer, path)], layer
    for type_, name in _PAIRED.items():
        pictures = [each for each in layers if each.type == type_ and feeds_filters(spec, each)]
        labels = [each for each in layers if each.type == type_ and not feeds_filters(spec, each)]
        if len(pictures) == len(labels) == 1:
            _refuse_leveldb(pictures[0])
            return name, _root(pictures[0], path), [_source(each, path) for each in (*pictures, *labels)], pictures[0]
    return None


def _root(layer: LayerSpec, path: Path) -> str:
    """The folder that the names in a list begin from."""
    for name in ("new_height", "new_width"):
        if layer.options.get(name):
            raise SpecError(
                f"{path}: layer {layer.name!r} ({layer.type}): {name} resizes the pictures, which `train` does not do; "
                "resize the files, or name the data with --data."
            )
    named = str(layer.options.get("root_folder", ""))
    return str(_there(path, named) or named) if named else str(path.parent)


def _source(layer: LayerSpec, path: Path) -> str:
    name = str(layer.options.get("source", ""))
    found = _there(path, name)
    if found is None:
        raise FileError(
            f"{path}: layer {layer.name!r} ({layer.type}) reads {quoted(name)}, which is neither beside it nor in the "
            "working directory; put it there, or name other data with --data."
        )
    return str(found.resolve())


def _there(path: Path, name: str) -> Path | None:
    return next((each for each in (path.parent / name, Path(name)) if exists(each)), None)


def _refuse_leveldb(layer: LayerSpec) -> None:
    if layer.type == "Data" and layer.options.get("backend", "LEVELDB") != "LMDB":
        raise SpecError(
            f"layer {layer.name!r} (Data): reads a LevelDB, which fcnlite does not; convert it to an LMDB and write "
            "backend: LMDB, or name the data with --data."
        )


def _classes(spec: NetSpec) -> int:
    """The number of classes that the scores of the first loss have; 0 if the description does not say it."""
    made_by = {top: layer for layer in reversed(spec.layers) for top in layer.top if top not in layer.bottom}
    for loss in spec:
        if loss.type not in ("SoftmaxWithLoss", "InfogainLoss") or not loss.bottom:
            continue
        blob: str | None = loss.bottom[0]
        for _ in spec:
            layer = made_by.get(blob or "")
            if layer is None:
                break
            if layer.type in ("Convolution", "Deconvolution", "InnerProduct"):
                return int(layer.options.get("num_output", 0))
            blob = layer.bottom[0] if layer.bottom else None
    return 0


def _of_reference(spec: NetSpec, path: Path) -> TrainingData | None:
    """The data set of a Python layer of the FCN reference."""
    found: dict[str, Any] = {}
    for phase in PHASES:
        layers = tuple(each for each in spec if each.included(phase, spec.level, frozenset(spec.stage)))
        found[phase] = data_source(NetSpec(layers=layers))
    train, test = found["TRAIN"], found["TEST"]
    if train is None or not train.dataset or not train.root:
        return None
    root = _there(path, train.root)
    if root is None:
        raise FileError(
            f"{path}: layer {train.layer!r} reads {train.root!r}, which is neither beside it nor in the working "
            "directory; put the data set there, or name other data with --data."
        )
    same = test is not None and (test.dataset, test.root) == (train.dataset, train.root)
    return TrainingData(
        train.dataset,
        str(root),
        train_split=train.split,
        val_split=test.split if test is not None and same else "",
        validates=bool(same and test.split),
        batch_size=1,
    )
