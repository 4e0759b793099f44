"""What a format needs of a net to write it: its description and its parameters."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from fcnlite.errors import FileError
from fcnlite.spec import NetSpec

Array = np.ndarray[Any, np.dtype[Any]]


class HasArray(Protocol):
    """A parameter, to be read only."""

    @property
    def array(self) -> Array: ...


class Exportable(Protocol):
    """A net, as far as formats know it."""

    @property
    def spec(self) -> NetSpec: ...

    @property
    def params(self) -> Mapping[str, Sequence[HasArray]]: ...


def float32_params(net: Exportable, path: str | os.PathLike[str]) -> dict[str, list[Array]]:
    """The parameters by layer name as float32 arrays; layers that share a parameter get one array.

    Raises `FileError`, naming `path`, for values that no reader of such files takes.
    """
    converted: dict[int, Array] = {}

    def convert(layer: str, index: int, array: Array) -> Array:
        if id(array) not in converted:
            with np.errstate(over="ignore"):
                values = np.asarray(array, dtype="<f4", order="C")
            if not np.isfinite(values).all():
                raise FileError(
                    f"{path}: not written, for layer {layer!r}, parameter {index} holds NaN or numbers beyond float32; "
                    "the training that made them has diverged."
                )
            converted[id(array)] = values
        return converted[id(array)]

    # Held until the end, so that no array's id is given to another.
    held = {layer: [each.array for each in parameters] for layer, parameters in net.params.items()}
    return {layer: [convert(layer, i, array) for i, array in enumerate(arrays)] for layer, arrays in held.items()}
