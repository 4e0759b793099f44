"""Pooling with another pad on each side, or that leaves the pad out of the mean (Pooling of Synopsys' Caffe:
foss-for-synopsys-dwc-arc-processors/synopsys-caffe).

    MAX: y = max x over the window          dx = Σ dy of the windows whose (first) maximum is this pixel
    AVE: y = Σ x over the window / size     dx = Σ dy / size of the windows that contain this pixel

bottom N×C×H×W, top N×C×H'×W', H' = ⌈(H + pad_t + pad_b − kernel_size) / stride⌉ + 1 (round_mode FLOOR: ⌊…⌋ + 1), and
one less if the last window would begin after the picture. The size of a window includes the pad with AVE, but not with
AVE_EXC_PAD and AVE_TF, TensorFlow's mean. In a file the type is Pooling; the reader gives it this name if its options
are not those of Caffe's Pooling.

Options: those of Pooling, without global_pooling; pad_t, pad_b, pad_l and pad_r 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.description.shapes import show
from fcnlite.errors import ShapeError, SpecError
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer, four_axes
from fcnlite.layers.gathered import Windows
from fcnlite.layers.options import LARGEST, pair
from fcnlite.layers.registry import register


@dataclass(frozen=True)
class UnevenPoolingOptions:
    pool: Literal["MAX", "AVE", "AVE_EXC_PAD", "AVE_TF"] = "MAX"
    kernel_size: int | None = None
    kernel_h: int | None = None
    kernel_w: int | None = None
    stride: int | None = None
    stride_h: int | None = None
    stride_w: int | None = None
    pad: int | None = None
    pad_h: int | None = None
    pad_w: int | None = None
    pad_t: int = 0
    pad_b: int = 0
    pad_l: int = 0
    pad_r: int = 0
    round_mode: Literal["CEIL", "FLOOR"] = "CEIL"
    engine: str = "DEFAULT"


@register
class UnevenPooling(Layer):
    type = "UnevenPooling"
    messages = ("pooling_param",)
    Options = UnevenPoolingOptions

    def check(self) -> None:
        o = self.options
        self.sizes = pair(o, "kernel_size", "kernel", default=None)
        self.strides = pair(o, "stride", "stride", default=1)
        even = pair(o, "pad", "pad", default=0, least=0)
        sides = (o.pad_t, o.pad_l, o.pad_b, o.pad_r)
        if any(sides) and any(even):
            raise SpecError("has pad_t, pad_b, pad_l, pad_r and other pads; keep one kind.")
        if any(not 0 <= each <= LARGEST for each in sides):
            raise SpecError(f"pad_t, pad_l, pad_b and pad_r are {sides}; expected at least 0.")
        self.before: tuple[int, int] = (o.pad_t, o.pad_l) if any(sides) else even
        self.after: tuple[int, int] = (o.pad_b, o.pad_r) if any(sides) else even
        if any(pad >= size for pads in (self.before, self.after) for pad, size in zip(pads, self.sizes, strict=True)):
            raise SpecError(f"the pads must be less than the window {self.sizes}, or a window could lie outside.")

    def _counts(self, sides: Shape) -> tuple[int, ...]:
        """H' and W'. Raises `ShapeError` if there is no window."""
        found = []
        padded = any((*self.before, *self.after))
        for side, size, stride, before, after in zip(
            sides, self.sizes, self.strides, self.before, self.after, strict=True
        ):
            reach = side + before + after - size
            steps = -(-reach // stride) if self.options.round_mode == "CEIL" else reach // stride
            count = steps + 1
            if padded and (count - 1) * stride >= side + before:
                count -= 1
            if count < 1:
                raise ShapeError(f"the window {show(self.sizes)} does not fit into the padded picture of {show(sides)}")
            found.append(count)
        return tuple(found)

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        n, channels, *sides = four_axes(bottom[0])
        return [(n, channels, *self._counts(tuple(sides)))]

    def _windows(self, sides: Shape) -> Windows:
        return Windows.over(sides, self.sizes, self.strides, self.before, self._counts(sides))

    def _divisors(self, windows: Windows, sides: Shape) -> np.ndarray:
        """The size of each window: H'×W'."""
        if self.options.pool != "AVE":
            return np.maximum(windows.inside.sum((0, 1)), 1)
        ends = []
        for side, size, stride, before, after, count in zip(
            sides, self.sizes, self.strides, self.before, self.after, self._counts(sides), strict=True
        ):
            first = stride * np.arange(count) - before
            ends.append(np.minimum(first + size, side + after) - first)
        return np.maximum(ends[0][:, None] * ends[1], 1)

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        (x,) = bottom
        windows = self._windows(x.shape[2:])
        if self.options.pool == "MAX":
            values = windows.gather(x, -np.inf)
            run.saved = values.argmax(axis=2)[:, :, None]
            return [np.take_along_axis(values, run.saved, 2)[:, :, 0]]
        return [windows.gather(x, 0).sum(axis=2) / self._divisors(windows, x.shape[2:]).astype(x.dtype)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        (dy,), (shape,) = dtop, run.bottom_shapes
        windows = self._windows(shape[2:])
        values = np.zeros((*shape[:2], self.sizes[0] * self.sizes[1], *dy.shape[2:]), dy.dtype)
        if self.options.pool == "MAX":
            np.put_along_axis(values, run.saved, dy[:, :, None], 2)
        else:
            values += (dy / self._divisors(windows, shape[2:]).astype(dy.dtype))[:, :, None]
        return [windows.scatter(values, shape)]

    def placement(self) -> None:
        return None
