"""The geometry of one change: resize, cut or pad, warp, mirror and turn, as one map from the result to the picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fcnlite.data.augmentation.resampling import covered, resized, warped
from fcnlite.data.augmentation.warp import Warp

Repaint = Callable[[np.ndarray], np.ndarray]
"""Changes the values of a picture, not its size."""


class Geometry:
    """The geometry of a picture of `height`×`width` pixels, at first none.

    Before it is mirrored and turned, the result has `out` (height, width) pixels. Along each axis, a `Span` says which
    pixels of the resized picture it shows. `warp` bends the result.
    """

    def __init__(self, height: int, width: int) -> None:
        self.source = height, width
        self.size = height, width
        """Height and width of the whole picture after it is resized."""
        self.out = height, width
        self.rows, self.columns = Span(0, 0, height), Span(0, 0, width)
        self.warp: Warp | None = None
        self.flip = False
        self.turns = 0
        """Quarter turns, counterclockwise."""

    def resize(self, factor: float) -> None:
        """Resize the whole picture, to at least one pixel."""
        height, width = (max(1, round(side * factor)) for side in self.source)
        self.size = self.out = height, width
        self.rows, self.columns = Span(0, 0, height), Span(0, 0, width)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the result."""
        return (self.out[1], self.out[0]) if self.turns % 2 else self.out

    def bend(self) -> Warp:
        """The warp of the result, at first none."""
        if self.warp is None:
            self.warp = Warp(*self.out)
        return self.warp

    def placed(
        self, array: np.ndarray, fill: np.ndarray | int, smooth: bool, repaint: Repaint | None = None
    ) -> np.ndarray:
        """A picture or label map, H×W or H×W×C, after the geometry and, where the picture is, after `repaint`.

        What it does not cover is `fill`. `smooth` interpolates bilinearly, otherwise the nearest pixel counts.
        """
        whole = self._bent(array, fill, smooth, repaint) if self.warp else self._straight(array, fill, smooth, repaint)
        return np.ascontiguousarray(np.rot90(whole[:, ::-1] if self.flip else whole, self.turns))

    def _straight(self, array: np.ndarray, fill: np.ndarray | int, smooth: bool, repaint: Repaint | None) -> np.ndarray:
        """Resize only the part that the result shows: the same as resizing all of it and cutting, for less time.

        Resizing to less averages the pixels that fall into one.
        """
        rows, columns = self.rows, self.columns
        height, width = self.source
        box = (
            columns.source * width / self.size[1],
            rows.source * height / self.size[0],
            (columns.source + columns.length) * width / self.size[1],
            (rows.source + rows.length) * height / self.size[0],
        )
        if self.size == self.source:
            part = array[rows.source : rows.source + rows.length, columns.source : columns.source + columns.length]
        else:
            part = resized(array, (columns.length, rows.length), box, smooth)
        if repaint is not None:
            part = repaint(part)
        whole = np.full((*self.out, *array.shape[2:]), fill, array.dtype)
        whole[rows.target : rows.target + rows.length, columns.target : columns.target + columns.length] = part
        return whole

    def _bent(self, array: np.ndarray, fill: np.ndarray | int, smooth: bool, repaint: Repaint | None) -> np.ndarray:
        """Sample the whole picture through the warp."""
        assert self.warp is not None
        to_source = self._to_source()
        whole = warped(array, self.out, self.warp, to_source, fill, smooth)
        if repaint is None:
            return whole
        changed = repaint(whole)
        outside = ~covered(self.source, self.out, self.warp, to_source)
        changed[outside] = fill
        return changed

    def _to_source(self) -> np.ndarray:
        """The 3×3 matrix from the unbent result to the picture, for points (x, y, 1)."""
        y, x = (have / size for have, size in zip(self.source, self.size, strict=True))
        right, down = self.columns.source - self.columns.target, self.rows.source - self.rows.target
        return np.array([[x, 0, x * right], [0, y, y * down], [0, 0, 1]])


@dataclass(frozen=True)
class Span:
    """Along one axis: `length` pixels from `source` in the resized picture go to `target` in the result."""

    source: int
    target: int
    length: int

    @staticmethod
    def draw(rng: np.random.Generator, have: int, want: int) -> Span:
        """Draw, uniformly from all places, where `have` pixels are cropped or padded to `want`."""
        offset = int(rng.integers(abs(have - want) + 1))
        return Span(offset, 0, want) if have > want else Span(0, offset, have)

    def moved(self, distance: int, side: int) -> Span:
        """This span, moved by `distance` pixels in a result of `side` pixels; at least one pixel stays inside."""
        target = min(max(self.target + distance, 1 - self.length), side - 1)
        hidden = max(0, -target)
        length = min(self.length - hidden, side - max(0, target))
        return Span(self.source + hidden, max(0, target), length)
