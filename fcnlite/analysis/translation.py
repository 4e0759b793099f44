"""What a shift of the picture does to a blob (paper, section 3).

A net of convolutions and poolings is a nonlinear filter: if the picture is shifted by the stride, its output is shifted
by one position. A fully connected layer is a general function; its output has no positions that could be shifted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite.analysis.receptive_fields import interior, period, place
from fcnlite.arrays import Array
from fcnlite.description.shapes import Placement
from fcnlite.errors import ShapeError
from fcnlite.net import Net


@dataclass(frozen=True)
class Shift:
    """How far a blob of the shifted picture is from the shifted blob, relative to the blob's largest value."""

    pixels: int
    """The shift of the picture."""
    positions: int
    """The shift of the blob."""
    inside: float
    """The largest difference where receptive fields are inside the picture."""
    everywhere: float
    """The largest difference, including the positions that see padding."""


def shift(net: Net, blob: str, picture: Array, pixels: int | None = None) -> Shift:
    """Compare the blob of two crops of `picture` (1×C×H×W) that are `pixels` apart, by default the blob's stride.

    Raises as `place` does, and `ShapeError` if strides are not whole or do not divide `pixels`, or if the picture is
    too small for a receptive field.
    """
    found = place(net.spec, blob)
    stride = found.whole_stride(blob)
    pixels = pixels or stride[0]
    if pixels % stride[0] or pixels % stride[1]:
        raise ShapeError(
            f"a shift by {pixels} pixels is not a whole number of positions of blob {blob!r}; "
            f"its stride is {stride[0]}, so choose a multiple of that."
        )
    steps = pixels // stride[0], pixels // stride[1]
    height, width = picture.shape[2] - pixels, picture.shape[3] - pixels
    before = net.forward({found.origin: picture[:, :, :height, :width]}, outputs=[blob])[blob]
    after = net.forward({found.origin: picture[:, :, pixels:, pixels:]}, outputs=[blob])[blob]
    shifted, same = before[:, :, steps[0] :, steps[1] :], after[:, :, : -steps[0], : -steps[1]]
    if not shifted.size:
        raise ShapeError(
            f"blob {blob!r} has {before.shape[2]}×{before.shape[3]} positions, so none is left after a shift by "
            f"{steps[0]}; choose a larger picture."
        )
    difference = np.abs(shifted - same).max(axis=(0, 1)) / np.abs(before).max()
    coarsest = period(net.spec, blob)
    rows = _inside(found.rows, before.shape[2], height, steps[0], coarsest[0])
    columns = _inside(found.columns, before.shape[3], width, steps[1], coarsest[1])
    if not rows or not columns:
        raise ShapeError(
            f"no receptive field of blob {blob!r} ({found.rows.field} pixels) is inside a picture of {height}×{width}; "
            "choose a larger picture."
        )
    return Shift(pixels, steps[0], float(difference[np.ix_(rows, columns)].max()), float(difference.max()))


def _inside(placement: Placement, positions: int, size: int, steps: int, coarsest: int) -> list[int]:
    """The positions, counted in the shifted blob, whose fields are inside the picture before and after the shift.

    Behind an upsampling, a field follows the coarser grid, so it may begin up to one coarse stride earlier or later.
    """
    slack = coarsest if coarsest > placement.stride else 0
    wide = Placement(placement.stride, placement.offset, placement.field + 2 * slack)
    inside = set(interior(wide, positions, size))
    return [each for each in range(positions - steps) if each in inside and each + steps in inside]


def vector_change(net: Net, blob: str, picture: Array, pixels: int) -> float:
    """The change of a fully connected blob when the picture is shifted, relative to its norm.

    The shifted blob is the one of all circular shifts of the vector that is nearest: 0 would mean that a shift explains
    the change. `picture` is larger than the net's input by `pixels`.
    """
    height, width = picture.shape[2] - pixels, picture.shape[3] - pixels
    before = net.forward(picture[:, :, :height, :width], outputs=[blob])[blob].ravel()
    after = net.forward(picture[:, :, pixels:, pixels:], outputs=[blob])[blob].ravel()
    nearest = min(np.linalg.norm(np.roll(before, by) - after) for by in range(len(before)))
    return float(nearest / np.linalg.norm(before))
