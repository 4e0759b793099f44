"""`fcnlite.load`: nets from files."""

from __future__ import annotations

import os
import warnings
from collections.abc import Set
from dataclasses import replace
from pathlib import Path

from fcnlite import surgery
from fcnlite.errors import FileError, ShapeError
from fcnlite.layers.base import UnknownLayer
from fcnlite.net import Net
from fcnlite.spec import ModelInfo, NetSpec, Preprocessing

_SHOWN = 8
"""Names that a warning lists."""


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
) -> Net:
    """A net from a weight file of ours (.h5), or from a prototxt with or without weights; see `Net` for its options.

    The prototxt may be of any of Caffe's versions. `weights` may be a caffemodel of any version, `.caffemodel.h5` or a
    file of ours; without it a prototxt's parameters start by their fillers. They are matched by layer name; a net whose
    inputs have no described size takes them at its first forward. Raises `FileError` for a file that cannot be read,
    `SpecError` for a description that makes no net, `ShapeError` where a weight does not fit its layer. Warns of layers
    that the weights have nothing for, of weights that no layer takes, of layers of unknown types and of upsampling that
    starts at zero.
    """
    from fcnlite import caffe, storage

    if storage.is_weight_file(source):
        content = storage.load(source)
        spec, info = content.spec, content.info
        given: surgery.Weights = content.params
        origin = source
    else:
        if Path(source).suffix in (".h5", ".hdf5", ".caffemodel"):
            # Says of a weight file alone why it is not enough: missing, foreign, newer or without a description.
            if Path(source).suffix != ".caffemodel":
                storage.load(source)
            raise FileError(f"{source}: holds weights only; give the prototxt first: load('net.prototxt', '{source}').")
        spec = caffe.read_net(source)
        info = _info(spec)
        given, origin = {}, source
    net = Net(spec, phase=phase, path=path, dtype=dtype, seed=seed, low_memory=low_memory, info=info)
    for layer in net.layers:
        if isinstance(layer, UnknownLayer) and layer.spec.bottom:
            warnings.warn(f"{layer.error()} What depends on it cannot be computed.", stacklevel=2)
    if weights is not None:
        given, origin = read_weights(weights), weights
    if given:
        take(net, given, origin)
    surgery.warn_of_zero_upsampling(net, source)
    return net


def read_weights(path: str | os.PathLike[str]) -> surgery.Weights:
    """The parameters of a caffemodel (also in HDF5) or of a weight file of ours, by layer name."""
    from fcnlite import caffe, storage

    return storage.load(path).params if storage.is_weight_file(path) else caffe.read_weights(path)


def take(net: Net, weights: surgery.Weights, origin: str | os.PathLike[str]) -> None:
    """Put weights into the net by layer name; `origin` is the file that they are from. Raises and warns as `load`."""
    unused = [name for name in weights if name not in {layer.spec.name for layer in net.layers}]
    if len(unused) == len(weights):
        raise ShapeError(
            f"{origin}: none of its layers ({_shown(unused)}) is in the net; "
            "check that the description and the weights belong together."
        )

    def fill(layers: Set[str]) -> None:
        """Take what is for these layers, once they have parameters."""
        given = {name: weights[name] for name in layers if name in weights}
        transfers = [each for each in surgery.transplant(net, given) if each.layer in layers]
        wrong = [each for each in transfers if each.outcome == "shape differs"]
        if wrong:
            raise ShapeError(
                f"{origin}: {len(wrong)} parameters do not fit the net, the first is {wrong[0]}; "
                "check that the description and the weights belong together."
            )
        for outcome, words in (
            ("left", "has no weights for {}; these layers start by their fillers."),
            ("unused", "has more parameters than the net for {}; they were not used."),
        ):
            if layers_so := sorted({each.layer for each in transfers if each.outcome == outcome}):
                warnings.warn(f"{origin}: {words.format(_shown(layers_so))}", stacklevel=4)

    net.loaded((name for name, arrays in weights.items() if arrays), origin)
    net.when_sized(fill)
    if unused:
        warnings.warn(f"{origin}: its layers {_shown(unused)} are not in the net and were not used.", stacklevel=3)


def _shown(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _info(spec: NetSpec) -> ModelInfo:
    """What the description's data layer says of the pictures: mean and scale."""
    from fcnlite import caffe

    source = caffe.data_source(spec)
    if source is None:
        return ModelInfo()
    default = Preprocessing().mean
    means = {1: source.mean * 3, 3: source.mean, 0: default if source.dataset else (0.0, 0.0, 0.0)}
    if source.kind == "color":
        first = Preprocessing(mean=means.get(len(source.mean), default), scale=source.scale)
    else:
        first = _of_kind(source.kind, source.mean)
    others = {blob: _of_kind(kind, mean) for blob, (kind, mean) in source.others.items()}
    return ModelInfo(preprocessing=replace(first, others=others))


def _of_kind(kind: str, mean: tuple[float, ...]) -> Preprocessing:
    """Of a picture of NYUDv2. HHA keeps its order of channels."""
    if kind == "depth":
        return Preprocessing(color="DEPTH", mean=mean, bits=16)
    return Preprocessing(color="RGB" if kind == "hha" else "BGR", mean=mean)
