"""Values at places of planes: what the unpooling layers share.

A place is the position of a value in a plane of H×W, row · W + column, as the second top of a max pooling gives it.
"""

from __future__ import annotations

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.description.shapes import show
from fcnlite.errors import DataError, ShapeError

Places = np.ndarray
"""N × C × number of values, integers."""


def read_places(mask: Array, shape: Shape) -> Places:
    """The places in `mask`, for planes of the top's `shape`. Raises `DataError` for one outside a plane."""
    places = mask.reshape(*mask.shape[:2], -1)
    found = places.astype(np.intp)
    outside = (found < 0) | (found >= shape[2] * shape[3]) | (found != places)
    if outside.any():
        raise DataError(
            f"the mask holds {places[outside][0]:g}, which is not a place in a top of {show(shape[2:])}; the mask must "
            "be that of the pooling whose bottom has this size: correct the size of the top"
        )
    return found


def check_mask(x: Shape, mask: Shape) -> None:
    """Raise `ShapeError` unless the mask has a place for each value."""
    if x != mask:
        raise ShapeError(f"expected a mask of the shape of the values, {show(x)}, found {show(mask)}")


def put(x: Array, places: Places, shape: Shape) -> Array:
    """An array of `shape` with the values of x at their places, the last of several at one place, and else 0."""
    y = np.zeros((*shape[:2], shape[2] * shape[3]), x.dtype)
    np.put_along_axis(y, places, x.reshape(places.shape), axis=2)
    return y.reshape(shape)


def take(dy: Array, places: Places, shape: Shape) -> Array:
    """The values of dy at the places, in `shape`."""
    return np.take_along_axis(dy.reshape(*places.shape[:2], -1), places, axis=2).reshape(shape)
