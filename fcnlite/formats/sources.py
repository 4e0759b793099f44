"""Weights from the file of any tool: Caffe, fcnlite, and VGG-16 from Keras or torchvision."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fcnlite.arrays import Array
from fcnlite.description.model_info import ModelInfo
from fcnlite.errors import FileError
from fcnlite.formats import caffe, storage
from fcnlite.formats.interop import keras, torchvision

_PICKLES = (".pth", ".pt", ".bin", ".pkl")
_TORCHVISION = """\
torchvision's preprocessing is folded into conv1_1: the net takes BGR minus Caffe's mean. Exact for all values that see
no zero padding; for the others, padding is Caffe's mean color instead of torchvision's, up to a level of 255 apart."""
_KERAS = """\
Keras' VGG-16 takes BGR minus a mean, as Caffe's does, so nothing is folded; the means are a level of 255 apart."""


@dataclass(frozen=True)
class WeightSource:
    """The contents of a file that weights come from."""

    weights: dict[str, list[Array]]
    """Parameters by layer name."""
    info: ModelInfo | None = None
    """Preprocessing and classes; None for Caffe's files, which do not record them."""
    note: str = ""
    """A remark on these weights for the user."""


def read_source(path: str) -> WeightSource:
    """The parameters in a file of any of these tools.

    Raises `FileError` for a file that cannot be read, is a pickle or holds no parameters.
    """
    if Path(path).suffix in _PICKLES:
        raise FileError(
            f"{path}: looks like a pickle, which can run any code when it is read; save its state_dict with "
            "safetensors.torch.save_file and give that file."
        )
    if Path(path).suffix == ".safetensors":
        return WeightSource(torchvision.read_weights(path), ModelInfo(), _TORCHVISION)
    if storage.is_weight_file(path):
        content = storage.load(path)
        return WeightSource(content.params, content.info)
    if keras.is_weight_file(path):
        return WeightSource(keras.read_weights(path), ModelInfo(), _KERAS)
    weights = {name: list(map(np.asarray, arrays)) for name, arrays in caffe.read_weights(path).items()}
    if not weights:
        raise FileError(
            f"{path}: its layers hold no parameters; it was saved without its weights; get the complete file."
        )
    return WeightSource(weights)
