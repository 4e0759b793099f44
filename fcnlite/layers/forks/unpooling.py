"""Unpooling (Unpooling of DeconvNet: HyeonwooNoh/caffe).

    MAX:  y[mask[i]] = x[i] within each plane, else 0       dx[i] = dy[mask[i]]
    TILE: y = Σ x[i] of the windows i that contain the pixel            dx[i] = Σ dy over window i
    AVE:  y = Σ x[i] / size[i] of the windows that contain it           dx[i] = Σ dy over window i / size[i]

bottoms: x, N×C×H×W, and for MAX the mask, of the same shape, which is the second top of a max pooling; it has no
gradient. Without a mask, the value in row i and column j goes to row stride · i and column stride · j, or to the last
ones. If several values have one place, the last counts, and as in DeconvNet each gets the gradient. top
N×C×unpool_h×unpool_w. The window of that value, of kernel_size, begins there too; beyond the top it has no pixels.

Two things differ from the fork on purpose: its AVE and TILE add to whatever the memory of the top held on CPUs (on GPUs
to 0, as here), and its TILE divides dx by the size of the window, which is not the gradient of its y.

Options: unpool MAX; unpool_size, or unpool_h and unpool_w; stride 1 and kernel_size, also as stride_h, kernel_h and so
on; pad 0, the only one that the fork supports. kernel_size has no effect on MAX.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.errors import SpecError
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer, four_axes
from fcnlite.layers.forks.places import Places, check_mask, put, read_places, take
from fcnlite.layers.options import pair
from fcnlite.layers.registry import register


@dataclass(frozen=True)
class UnpoolingOptions:
    unpool: Literal["MAX", "AVE", "TILE"] = "MAX"
    unpool_size: int | None = None
    unpool_h: int | None = None
    unpool_w: int | None = None
    kernel_size: int | None = None
    kernel_h: int | None = None
    kernel_w: int | None = None
    stride: int | None = None
    stride_h: int | None = None
    stride_w: int | None = None
    pad: int | None = None
    pad_h: int | None = None
    pad_w: int | None = None


@register
class Unpooling(Layer):
    type = "Unpooling"
    messages = ("unpooling_param",)
    Options = UnpoolingOptions
    bottoms = (1, 2)
    no_gradient = frozenset({1})

    def check(self) -> None:
        o = self.options
        self.size = pair(o, "unpool_size", "unpool", default=None)
        self.stride = pair(o, "stride", "stride", default=1)
        if o.unpool != "MAX":
            self.kernel = pair(o, "kernel_size", "kernel", default=None)
        if pair(o, "pad", "pad", default=0, least=0) != (0, 0):
            raise SpecError("expected a pad of 0, the only one that DeconvNet's layer supports.")

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        n, channels, *_ = four_axes(bottom[0])
        if len(bottom) > 1 and self.options.unpool == "MAX":
            check_mask(*bottom)
        return [(n, channels, *self.size)]

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        x = bottom[0]
        if self.options.unpool != "MAX":
            rows, columns = self.spread(x.shape, x.dtype)
            return [rows.T @ x @ columns]
        (shape,) = self.top_shapes(*(each.shape for each in bottom))
        run.saved = read_places(bottom[1], shape) if len(bottom) > 1 else self._corners(x.shape)
        return [put(x, run.saved, shape)]

    def _corners(self, x: Shape) -> Places:
        """The place of each value without a mask: the first of its window."""
        sides = zip(x[2:], self.stride, self.size, strict=True)
        rows, columns = (np.minimum(np.arange(side) * stride, size - 1) for side, stride, size in sides)
        plane = (rows[:, None] * self.size[1] + columns).ravel()
        return np.broadcast_to(plane, (*x[:2], plane.size))

    def spread(self, x: Shape, dtype: np.dtype) -> tuple[Array, Array]:
        """What each row of x gives to the rows of the top, H×unpool_h, and the same for columns: AVE and TILE."""
        sides = zip(x[2:], self.stride, self.kernel, self.size, strict=True)
        rows, columns = (_windows(*side, self.options.unpool == "AVE").astype(dtype) for side in sides)
        return rows, columns

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        (dy,), shapes = dtop, run.bottom_shapes
        if self.options.unpool != "MAX":
            rows, columns = self.spread(shapes[0], dy.dtype)
            return [rows @ dy @ columns.T, None][: len(shapes)]
        return [take(dy, run.saved, shapes[0]), None][: len(shapes)]

    def placement(self) -> None:
        return None


def _windows(count: int, stride: int, kernel: int, size: int, shared: bool) -> np.ndarray:
    """count×size: 1 where a window contains a place, or if `shared` 1 / the number of its places."""
    first, place = np.arange(count)[:, None] * stride, np.arange(size)
    inside = (first <= place) & (place < first + kernel)
    return inside / np.maximum(inside.sum(axis=1, keepdims=True), 1) if shared else inside.astype(np.float64)
