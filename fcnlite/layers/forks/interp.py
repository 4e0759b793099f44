"""Bilinear interpolation to another size, with aligned corners (Interp of DeepLab, PSPNet and ICNet).

    y[n, c, i, j] = Σ_k Σ_l R[i, k] · S[j, l] · x[n, c, k − pad_beg, l − pad_beg]        dx = Rᵀ · dy · S

R and S interpolate along rows and columns. Row i of R has the weights 1 − λ at k and λ at k + 1, where k + λ =
i · (H − 1) / (H' − 1) for H rows that become H'; the first row stays the first and the last row the last. A single row
of the top is the first row of the bottom.

bottom N×C×H×W, top N×C×H'×W'. Options: pad_beg 0 and pad_end 0, at most 0, crop the bottom first, by so many rows and
columns at the beginning and at the end. The size is given in one of three ways: zoom_factor z, H' = z · (H − 1) + 1;
shrink_factor s, H' = ⌊(H − 1) / s⌋ + 1; or height and width. As in PSPNet, both factors shrink first and then zoom, and
a factor counts rather than height and width, unless there are two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.description.shapes import show
from fcnlite.errors import ShapeError, SpecError
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer, four_axes
from fcnlite.layers.options import LARGEST
from fcnlite.layers.registry import register


@dataclass(frozen=True)
class InterpOptions:
    height: int | None = None
    width: int | None = None
    zoom_factor: int | None = None
    shrink_factor: int | None = None
    pad_beg: int = 0
    pad_end: int = 0


@register
class Interp(Layer):
    type = "Interp"
    messages = ("interp_param",)
    Options = InterpOptions

    def check(self) -> None:
        o = self.options
        for name in ("height", "width", "zoom_factor", "shrink_factor"):
            value = getattr(o, name)
            if value is not None and not 1 <= value <= LARGEST:
                raise SpecError(f"{name} is {value}; expected 1 to {LARGEST}.")
        for name in ("pad_beg", "pad_end"):
            if not -LARGEST <= getattr(o, name) <= 0:
                raise SpecError(f"{name} is {getattr(o, name)}; expected at most 0, since the layer can only crop.")
        sized = o.height is not None and o.width is not None
        self.by_size = sized and (o.zoom_factor is None) == (o.shrink_factor is None)
        """Whether height and width give the size."""
        if not sized and o.zoom_factor is None and o.shrink_factor is None:
            raise SpecError("the size is missing; write zoom_factor, shrink_factor, or both height and width.")

    def cropped(self, size: int) -> int:
        """The number of rows or columns that are left of `size`. Raises `ShapeError` if there are none."""
        left = size + self.options.pad_beg + self.options.pad_end
        if left < 1:
            raise ShapeError(f"pad_beg and pad_end crop all of the {size} rows or columns")
        return left

    def _side(self, size: int, given: int | None) -> int:
        """H' for H rows, or W' for W columns."""
        zoom, shrink = self.options.zoom_factor, self.options.shrink_factor
        if self.by_size:
            assert given is not None
            return given
        smaller = (self.cropped(size) - 1) // (shrink or 1) + 1
        return (smaller - 1) * (zoom or 1) + 1

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        n, channels, height, width = four_axes(bottom[0])
        self.cropped(min(height, width))
        top = (n, channels, self._side(height, self.options.height), self._side(width, self.options.width))
        if max(top[2:]) > LARGEST:
            raise ShapeError(f"the top would be {show(top[2:])}; expected sides of at most {LARGEST}")
        return [top]

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        (x,) = bottom
        beg = -self.options.pad_beg
        height, width = map(self.cropped, x.shape[2:])
        ((_, _, rows, columns),) = self.top_shapes(x.shape)
        y = x[:, :, beg : beg + height, beg : beg + width]
        return [_between(_between(y, 2, rows), 3, columns)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        (dy,), (shape,) = dtop, run.bottom_shapes
        beg = -self.options.pad_beg
        height, width = map(self.cropped, shape[2:])
        dx = np.zeros(shape, dy.dtype)
        rows, columns = (_matrix(*sizes, dy.dtype) for sizes in zip((height, width), dy.shape[2:], strict=True))
        dx[:, :, beg : beg + height, beg : beg + width] = rows.T @ dy @ columns
        return [dx]

    def placement(self) -> None:
        return None  # the distance of the top's rows depends on the bottom's size


def positions(size: int, out: int) -> tuple[np.ndarray, np.ndarray]:
    """For each of `out` positions, k, the last of `size` positions that is not after it, and its distance λ from k."""
    if out == 1:
        return np.zeros(1, np.intp), np.zeros(1)
    k, rest = np.divmod(np.arange(out) * (size - 1), out - 1)
    return k.astype(np.intp), rest / (out - 1)


def _between(x: Array, axis: int, out: int) -> Array:
    """x, interpolated to `out` positions on an axis."""
    size = x.shape[axis]
    if size == out:
        return np.ascontiguousarray(x)
    k, distance = positions(size, out)
    weight = distance.astype(x.dtype).reshape([-1 if i == axis else 1 for i in range(x.ndim)])
    return np.asarray(x.take(k, axis) * (1 - weight) + x.take(np.minimum(k + 1, size - 1), axis) * weight)


def _matrix(size: int, out: int, dtype: np.dtype) -> Array:
    """R: `out` rows, each with the weights of `size` positions."""
    k, distance = positions(size, out)
    matrix = np.zeros((out, size), dtype)
    matrix[np.arange(out), k] = 1 - distance
    matrix[np.arange(out), np.minimum(k + 1, size - 1)] += distance.astype(dtype)
    return matrix
