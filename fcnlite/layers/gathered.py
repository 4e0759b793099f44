"""The values under all windows of a pooling, gathered into one array: for poolings without kernels of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fcnlite.arrays import Array, Shape

Indices = np.ndarray


@dataclass(frozen=True)
class Windows:
    """The windows over pictures of H×W: for each, the rows and columns that it covers."""

    rows: Indices
    """KH×H': the row of the picture; outside it, the nearest row."""
    columns: Indices
    """KW×W'."""
    inside: np.ndarray
    """KH×KW×H'×W': whether the place is inside the picture."""

    @staticmethod
    def over(sides: Shape, sizes: Shape, strides: Shape, pads: Shape, counts: Shape) -> Windows:
        """The windows of these sizes and strides that begin `pads` before the picture; `counts` is their number."""
        covered, within = [], []
        for side, size, stride, pad, count in zip(sides, sizes, strides, pads, counts, strict=True):
            place = np.arange(size)[:, None] + stride * np.arange(count) - pad
            covered.append(np.clip(place, 0, side - 1))
            within.append((place >= 0) & (place < side))
        rows, columns = covered
        return Windows(rows, columns, within[0][:, None, :, None] & within[1][None, :, None, :])

    @property
    def _places(self) -> Any:
        """The index of the gathered values in N×C×H×W."""
        return slice(None), slice(None), self.rows[:, None, :, None], self.columns[None, :, None, :]

    def gather(self, x: Array, outside: float) -> Array:
        """The values of x, N×C×H×W, as N×C×(KH·KW)×H'×W', with `outside` for places outside the picture."""
        found = np.where(self.inside, x[self._places], x.dtype.type(outside))
        return found.reshape(*x.shape[:2], -1, *found.shape[-2:])

    def scatter(self, values: Array, shape: Shape) -> Array:
        """The sum at each place of N×C×H×W of the values that `gather` would take from there."""
        sums = np.zeros(shape, values.dtype)
        spread = values.reshape(*shape[:2], *self.inside.shape) * self.inside
        np.add.at(sums, self._places, spread)
        return sums
