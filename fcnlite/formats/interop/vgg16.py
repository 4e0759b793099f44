"""The layers of VGG-16 under Caffe's names, and a check that the shapes of parameters form one net."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from math import isqrt

import numpy as np

from fcnlite.arrays import Array
from fcnlite.description.shapes import show
from fcnlite.errors import FileError

CONVOLUTIONS = tuple(
    f"conv{stage}_{i}" for stage, count in enumerate((2, 2, 3, 3, 3), start=1) for i in range(1, count + 1)
)
INNER_PRODUCTS = ("fc6", "fc7", "fc8")


def check(path: str | os.PathLike[str], weights: Mapping[str, Sequence[Array]]) -> None:
    """Raise `FileError` unless these are the parameters of a VGG-16 of any width, in Caffe's shapes.

    The last inner products may be missing.
    """
    names = [name for name in (*CONVOLUTIONS, *INNER_PRODUCTS) if name in weights]
    missing = [name for name in CONVOLUTIONS if name not in weights]
    if missing or names != [*CONVOLUTIONS, *INNER_PRODUCTS][: len(names)]:
        lost = missing or [name for name in INNER_PRODUCTS if name not in weights]
        raise FileError(f"{path}: has no parameters for VGG-16's {lost[0]}; expected all layers, or all but the last.")
    inputs = 3
    for name in names:
        weight, bias = weights[name]
        window = (3, 3) if name in CONVOLUTIONS else ()
        wanted = (*weight.shape[:1], inputs, *window)
        if name == "fc6" and weight.ndim == 2:
            wanted = (len(weight), inputs * pool5_side(path, weight.shape[1], inputs) ** 2)
        if weight.shape != wanted or bias.shape != wanted[:1] or not weight.size:
            raise FileError(
                f"{path}: VGG-16's {name} has shapes {show(weight.shape)} and {show(bias.shape)}; expected "
                f"{show(wanted)} and {show(wanted[:1])}."
            )
        inputs = wanted[0]
        if not all(np.isfinite(array).all() for array in (weight, bias)):
            raise FileError(f"{path}: {name} holds NaN or infinite numbers; download the file again.")


def pool5_side(path: str | os.PathLike[str], inputs: int, channels: int) -> int:
    """The height and width of pool5 from the number of inputs of fc6. Raises `FileError` if it is not square."""
    side = isqrt(inputs // channels) if channels else 0
    if not side or side * side * channels != inputs:
        raise FileError(f"{path}: fc6 has {inputs:,} inputs, not a square of pool5's {channels} channels.")
    return side
