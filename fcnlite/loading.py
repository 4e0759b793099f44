"""`fcnlite.load`: nets from files."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

from fcnlite import surgery
from fcnlite.errors import FileError, ShapeError
from fcnlite.net import Net


def load(
    source: str | os.PathLike[str],
    weights: str | os.PathLike[str] | None = None,
    /,
    *,
    path: str = "fast",
    phase: str = "TEST",
    dtype: str = "float32",
    seed: int = 0,
) -> Net:
    """A net from a weight file of ours (.h5), or from a prototxt with or without weights.

    `weights` may be a `.caffemodel` or a file of ours; without it a prototxt's parameters start by their fillers.
    They are matched by layer name. Raises `FileError` for a file that cannot be read, `SpecError` for a description
    that makes no net, `ShapeError` where a weight does not fit its layer. Warns of layers that the weights have
    nothing for, and of upsampling that starts at zero.
    """
    from fcnlite import caffe, storage

    if storage.is_weight_file(source):
        content = storage.load(source)
        net = Net(content.spec, phase=phase, path=path, dtype=dtype, seed=seed, info=content.info)
        given: surgery.Weights = content.params
        origin = source
    else:
        if Path(source).suffix in (".h5", ".hdf5", ".caffemodel"):
            # Says of a weight file alone why it is not enough: missing, foreign, newer or without a description.
            if Path(source).suffix != ".caffemodel":
                storage.load(source)
            raise FileError(f"{source}: holds weights only; give the prototxt first: load('net.prototxt', '{source}').")
        net = Net(caffe.read_net(source), phase=phase, path=path, dtype=dtype, seed=seed)
        given, origin = {}, source
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
    transfers = surgery.transplant(net, weights)
    wrong = [each for each in transfers if each.outcome == "shape differs"]
    if wrong:
        raise ShapeError(
            f"{origin}: {len(wrong)} parameters do not fit the net, the first is {wrong[0]}; "
            "check that the description and the weights belong together."
        )
    left = sorted({each.layer for each in transfers if each.outcome == "left"})
    if left:
        warnings.warn(
            f"{origin}: has no weights for {', '.join(left)}; these layers start by their fillers.", stacklevel=3
        )
