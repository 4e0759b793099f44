"""Reads VGG-16 from torchvision, saved as safetensors: features.0.weight, ..., classifier.6.bias.

torchvision's net takes RGB values from 0 to 1, and normalises each channel c by a mean and a deviation:

    x_c = (p_c / 255 − m_c) / s_c        (p: bytes of the picture)

fcnlite's nets take (p_c − mean_c) · scale in the channel order of `Preprocessing.color`. The map from one to the other
is linear, so it is folded into conv1_1: its weight is divided by 255 · s_c · scale, and the constant part is added to
its bias.

The result is exact for every value whose receptive field contains no zero padding. A zero in the padding means
fcnlite's mean here, and torchvision's mean there, so values near the borders differ by the effect of that change of
colour (at most one level of 255 with Caffe's usual mean). This concerns every value of a classifier at its own size,
and of an FCN with pad 100 on pictures smaller than its receptive field. With `Preprocessing(mean=MEAN)` both zeros mean
the same colour, and all values are exact.
"""

from __future__ import annotations

import os

import numpy as np

from fcnlite.arrays import Array
from fcnlite.description.model_info import Preprocessing
from fcnlite.errors import FileError, SpecError, nearest
from fcnlite.formats.interop import safetensors, vgg16

_MEAN_RGB = (0.485, 0.456, 0.406)
_DEVIATION_RGB = (0.229, 0.224, 0.225)
MEAN = tuple(255 * each for each in reversed(_MEAN_RGB))
"""torchvision's mean in fcnlite's form: from 0 to 255, in BGR order."""

_FEATURES = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
"""The indices of the convolutions in torchvision's `features`; ReLUs and poolings are between them."""
_CLASSIFIER = (0, 3, 6)
_NAMES = {
    **{f"features.{i}": name for i, name in zip(_FEATURES, vgg16.CONVOLUTIONS, strict=True)},
    **{f"classifier.{i}": name for i, name in zip(_CLASSIFIER, vgg16.INNER_PRODUCTS, strict=True)},
}


def read_weights(path: str | os.PathLike[str], preprocessing: Preprocessing | None = None) -> dict[str, list[Array]]:
    """The parameters by Caffe's layer names and in Caffe's shapes, for a net with this `preprocessing`.

    The default is Caffe's: BGR minus the mean. Raises `FileError` for a file that does not hold torchvision's VGG-16,
    `SpecError` for gray preprocessing.
    """
    arrays = safetensors.read(path)
    wanted = [f"{module}.{kind}" for module in _NAMES for kind in ("weight", "bias")]
    for name in arrays:
        if name not in wanted:
            raise FileError(
                f"{path}: holds {name[:80]!r}, which torchvision's vgg16 does not have; {nearest(name[:80], wanted)}"
            )
    weights = {
        layer: [arrays[f"{module}.{kind}"] for kind in ("weight", "bias")]
        for module, layer in _NAMES.items()
        if f"{module}.weight" in arrays and f"{module}.bias" in arrays
    }
    vgg16.check(path, weights)
    weight, bias = weights["conv1_1"]
    weights["conv1_1"] = _folded(weight, bias, preprocessing or Preprocessing())
    return weights


def _folded(weight: Array, bias: Array, preprocessing: Preprocessing) -> list[Array]:
    """The weight and bias of conv1_1 for inputs with this `preprocessing`, computed in float64."""
    if preprocessing.color == "GRAY":
        raise SpecError("preprocessing color 'GRAY': torchvision's net takes three channels; expected BGR or RGB.")
    order = slice(None, None, -1) if preprocessing.color == "BGR" else slice(None)
    mean, deviation = np.array(_MEAN_RGB)[order], np.array(_DEVIATION_RGB)[order]
    ordered = weight[:, order].astype(np.float64)
    # With the input v = (p − mean) · scale, torchvision's formula becomes x = v · factor + shift.
    factor = 1 / (255 * deviation * preprocessing.scale)
    shift = (np.array(preprocessing.mean) / 255 - mean) / deviation
    folded = bias + np.einsum("oihw,i->o", ordered, shift)
    return [(ordered * factor[:, None, None]).astype(weight.dtype), folded.astype(bias.dtype)]
