"""Check and convert the arrays given to a net: inputs, and gradients of blobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

import numpy as np

from fcnlite.arrays import Array
from fcnlite.description.shapes import show
from fcnlite.engine.backprop import Pass
from fcnlite.errors import FcnliteError, ShapeError, SpecError, nearest
from fcnlite.graph.sizing import image_inputs
from fcnlite.layers.base import Layer


def inputs_by_name(layers: Sequence[Layer], inputs: Any, blobs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs by name: those of `inputs`, a mapping or one array without a name, and those of `blobs`.

    An array without a name is the net's picture. Raises `SpecError` unless the net has exactly one picture input.
    """
    if inputs is None or isinstance(inputs, Mapping):
        return {**(inputs or {}), **blobs}
    pictures = list(image_inputs(layers))
    if len(pictures) != 1:
        named = f": {', '.join(map(repr, pictures))}" if pictures else ""
        raise SpecError(
            f"an array without a name needs a net with one picture input, but this net has {len(pictures)}{named}; "
            "give each input by its name, forward(NAME=array) or forward({NAME: array})."
        )
    if pictures[0] in blobs:
        raise SpecError(f"input {pictures[0]!r} was given twice, by position and by name; give it once.")
    return {pictures[0]: inputs, **blobs}


def converted(known: Set[str], inputs: Mapping[str, Any], dtype: np.dtype[Any]) -> dict[str, Array]:
    """The inputs as C-contiguous arrays of `dtype`; `known` has the names of all inputs of the net.

    Raises `SpecError` for unknown names and for values that are not numbers, `ShapeError` for empty arrays.
    """
    feeds = {}
    for name, value in inputs.items():
        if name not in known:
            raise SpecError(f"{name!r} is not an input of this net; {nearest(name, known)}")
        array = _numbers(f"input {name!r}", value, dtype)
        if not array.size:
            raise ShapeError(f"input {name!r} has shape {show(array.shape)}; expected dimensions of at least 1.")
        feeds[name] = array
    if not feeds:
        raise SpecError(f"no input was given; {nearest('', known)}")
    return feeds


def seeds(last: Pass[Any], given: Mapping[str, Any], dtype: np.dtype[Any]) -> dict[int, Array]:
    """The gradients from which a backward pass starts, by version: those given by blob name, else the loss weights.

    Raises `FcnliteError` if none are given and there is no loss, `SpecError` and `ShapeError` for gradients that do not
    fit their blobs.
    """
    if not given:
        if not last.schedule.losses:
            raise FcnliteError(
                "the forward pass computed no loss; feed the label, or give the gradient of a blob: "
                "backward(score=dscore)."
            )
        return {v: np.full_like(last.values[v], weight) for v, weight in last.schedule.losses.items()}
    found = {}
    for name, value in given.items():
        version = last.schedule.version(name)
        gradient = _numbers(f"the gradient of {name!r}", value, dtype)
        if gradient.shape != last.values[version].shape:
            raise ShapeError(
                f"the gradient of {name!r} has shape {show(gradient.shape)}, but the blob has shape "
                f"{show(last.values[version].shape)}."
            )
        found[version] = gradient
    return found


def _numbers(what: str, value: Any, dtype: np.dtype[Any]) -> Array:
    """`value` as a C-contiguous array of `dtype`. Raises `SpecError` unless it is an array of numbers."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise SpecError(f"{what} is not an array of numbers ({error}).") from error
    if array.dtype.kind not in "buif":
        raise SpecError(f"{what} has dtype {array.dtype}; expected numbers.")
    return np.asarray(array, dtype, order="C")
