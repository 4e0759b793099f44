"""Large pictures in tiles that overlap less than the net looks: their scores are blended.

Where tiles overlap, their scores are added with weights that go smoothly from one tile to the next, and whose sum is 1:
sin²(π/2 · (i + ½) / n) for the i-th of n pixels that two tiles share, and 1 minus that for the tile before. A tile does
not see the pixels beyond its sides, so scores differ from those of the whole picture, most of all along the seams.
`Blending.seam` is a place where tiles meet; computing it with the pixels that the net looks at shows the difference.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from fcnlite.arrays import Array
from fcnlite.errors import SpecError
from fcnlite.layers import Layer
from fcnlite.segmentation.tiling import Axis, Part, Scores, axes

_MEASURED = 128
"""The side of the square at a seam, in pixels, unless the overlap is wider."""


class Piece(NamedTuple):
    """A tile along one axis: its pixels, and the weights of their scores."""

    first: int
    last: int
    weights: Array
    """One for each pixel, float32."""

    @property
    def fed(self) -> slice:
        return slice(self.first, self.last)


class Difference(NamedTuple):
    """How far blended scores are from those of the whole picture, measured in one square of the picture."""

    rows: slice
    columns: slice
    scores: float
    """The largest difference of a score, relative to the largest score in the square."""
    pixels: float
    """The share of the pixels whose class is another one."""

    @staticmethod
    def of(rows: slice, columns: slice, blended: Array, exact: Array) -> Difference:
        """Compare the scores of a square, C×h×w each."""
        largest = float(abs(exact).max()) or 1.0
        return Difference(
            rows,
            columns,
            float(abs(blended - exact).max()) / largest,
            float(np.mean(blended.argmax(axis=0) != exact.argmax(axis=0))),
        )

    def values(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "rows": [self.rows.start, self.rows.stop],
            "columns": [self.columns.start, self.columns.stop],
            "scores": self.scores,
            "pixels": self.pixels,
        }

    def __str__(self) -> str:
        height, width = self.rows.stop - self.rows.start, self.columns.stop - self.columns.start
        return (
            f"where tiles meet ({width}×{height} pixels from column {self.columns.start}, row {self.rows.start}), "
            f"scores differ from the whole picture's by up to {100 * self.scores:.2g} % of the largest, and "
            f"{100 * self.pixels:.2g} % of these pixels have another class"
        )


@dataclass(frozen=True)
class Blending:
    """Tiles of at most `side` pixels along each axis that share about `overlap` pixels with each neighbour."""

    side: int
    overlap: int
    rows: Axis
    columns: Axis

    @staticmethod
    def of(layers: Iterable[Layer], blobs: Iterable[str], side: int, overlap: int) -> Blending:
        """The tiles for the score `blobs` of a net.

        Raises `SpecError` for a net whose scores depend on the whole picture, and for an overlap that does not fit the
        tiles, or that is not smaller than the exact one.
        """
        rows, columns = axes(layers, blobs)
        needed = min(axis.before + axis.after for axis in (rows, columns))
        if overlap >= needed:
            raise SpecError(
                f"--overlap {overlap}: without this option tiles overlap by {needed} pixels and more, and the scores "
                "are those of the whole picture; leave it out."
            )
        stride = max(rows.stride, columns.stride)
        if side < 2 * overlap + stride:
            raise SpecError(
                f"--tile {side}: tiles that overlap by {overlap} pixels must have at least {2 * overlap + stride} "
                "pixels along each axis."
            )
        return Blending(side, overlap, rows, columns)

    def whole(self, height: int, width: int) -> bool:
        """Whether a picture is computed as a whole."""
        return max(height, width) <= self.side

    def parts(self, height: int, width: int, scores: Scores) -> Iterator[Part]:
        """The blended scores of a picture, in bands of rows from top to bottom."""
        across = self._pieces(width, self.columns.stride)
        down = self._pieces(height, self.rows.stride)
        kept: list[Array] = []
        for number, row in enumerate(down):
            band = _blended_across(row, across, width, scores)
            for each, above in zip(band, kept, strict=bool(kept)):
                each[:, : above.shape[1]] += above
            end = down[number + 1].first if number + 1 < len(down) else height
            rows = slice(row.first, end)
            yield Part(rows, slice(0, width), [each[:, : end - row.first] for each in band])
            kept = [each[:, end - row.first :].copy() for each in band]

    def _pieces(self, size: int, stride: int) -> list[Piece]:
        """The tiles along an axis: of about the same size, beginning at multiples of the stride."""
        most = (self.side - self.overlap) // stride * stride
        count = max(1, math.ceil((size - self.overlap) / most)) if size > self.side else 1
        step = math.ceil((size - self.overlap) / count / stride) * stride
        bounds = [(i * step, size if i == count - 1 else (i + 1) * step + self.overlap) for i in range(count)]
        ramp = np.sin(np.pi / 2 * (np.arange(self.overlap) + 0.5) / max(1, self.overlap)) ** 2
        found, total = [], np.zeros(size)
        for first, last in bounds:
            weights = np.ones(last - first)
            if first:
                weights[: self.overlap] = ramp
            if last < size:
                weights[last - first - self.overlap :] *= 1 - ramp
            found.append(weights)
            total[first:last] += weights
        # The sum is 1 already, except where three small tiles overlap.
        return [
            Piece(first, last, (weights / total[first:last]).astype(np.float32))
            for (first, last), weights in zip(bounds, found, strict=True)
        ]

    def seam(self, height: int, width: int) -> tuple[slice, slice]:
        """The rows and columns of a square where tiles meet, near the middle of the picture."""
        return self._seam(height, self.rows.stride), self._seam(width, self.columns.stride)

    def _seam(self, size: int, stride: int) -> slice:
        """Pixels around the seam that is nearest to the middle of an axis; around the middle, if there is none."""
        places = [each.first + self.overlap // 2 for each in self._pieces(size, stride)[1:]] or [size // 2]
        middle = min(places, key=lambda each: abs(each - size / 2))
        half = max(_MEASURED, self.overlap) // 2
        return slice(max(0, middle - half), min(size, middle + half))


class Comparison:
    """The blended scores at a seam of a picture, collected while they are computed, beside the exact ones."""

    def __init__(self, blending: Blending, height: int, width: int) -> None:
        self._blending, self._size = blending, (height, width)
        self._rows, self._columns = blending.seam(height, width)
        self._bands: list[Array] = []

    def add(self, part: Part) -> None:
        """Keep the scores of the first head that are in the square; parts come from top to bottom."""
        first, last = max(part.rows.start, self._rows.start), min(part.rows.stop, self._rows.stop)
        if first < last:
            inside = slice(first - part.rows.start, last - part.rows.start)
            self._bands.append(part.scores[0][:, inside, self._columns].copy())

    def difference(self, scores: Scores) -> Difference:
        """Compute the square with all the pixels that the net looks at, and compare."""
        row = self._blending.rows.around(self._size[0], self._rows.start, self._rows.stop)
        column = self._blending.columns.around(self._size[1], self._columns.start, self._columns.stop)
        exact = scores(row.fed, column.fed)[0][:, row.kept, column.kept]
        return Difference.of(self._rows, self._columns, np.concatenate(self._bands, axis=1), exact)


def _blended_across(row: Piece, across: list[Piece], width: int, scores: Scores) -> list[Array]:
    """The scores of a row of tiles for each head, C×h×W, with the weights of the rows and the columns."""
    band: list[Array] = []
    for column in across:
        weights = row.weights[:, None] * column.weights
        found = scores(row.fed, column.fed)
        if not band:
            band = [np.zeros((len(each), row.last - row.first, width), np.float32) for each in found]
        for each, part in zip(band, found, strict=True):
            each[:, :, column.fed] += part * weights
    return band
