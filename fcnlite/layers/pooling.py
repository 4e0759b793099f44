"""Pooling over windows (Caffe's Pooling, CPU).

    MAX: y = max x over the window          dx = Σ dy of the windows whose (first) maximum is this pixel
    AVE: y = Σ x over the window / size     dx = Σ dy / size of the windows that contain this pixel

bottom N×C×H×W, top N×C×H'×W', H' = ⌈(H + 2·pad − kernel_size) / stride⌉ + 1 (round_mode FLOOR: ⌊…⌋ + 1);
`shapes.Window.pooled` has the exceptions. The size of a window at the edge includes the pad but nothing beyond it. The
second top of MAX, if named, is the position of each maximum in its plane, row · W + column; it has no gradient.
STOCHASTIC draws a value of each window: stochastic_pooling.py has its formulas.

Options: pool MAX (or AVE, STOCHASTIC); kernel_size, or global_pooling (false) for one window over the whole picture;
stride 1; pad 0, less than kernel_size; round_mode CEIL. kernel_size, stride and pad may be given for rows and columns,
as kernel_h and kernel_w and so on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from fcnlite import config
from fcnlite._kernels.pooling.nchw import ave_backward, ave_forward, max_backward, max_forward
from fcnlite.arrays import Array, Shape
from fcnlite.description.shapes import Placement, Window, convolution_placement, paired, pooled
from fcnlite.errors import SpecError
from fcnlite.layers import stochastic_pooling
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer, four_axes
from fcnlite.layers.gathered import Windows
from fcnlite.layers.options import pair
from fcnlite.layers.registry import register


@dataclass(frozen=True)
class PoolingOptions:
    pool: Literal["MAX", "AVE", "STOCHASTIC"] = "MAX"
    global_pooling: bool = False
    kernel_size: int | None = None
    kernel_h: int | None = None
    kernel_w: int | None = None
    stride: int | None = None
    stride_h: int | None = None
    stride_w: int | None = None
    pad: int | None = None
    pad_h: int | None = None
    pad_w: int | None = None
    round_mode: Literal["CEIL", "FLOOR"] = "CEIL"
    engine: str = "DEFAULT"


@register
class Pooling(Layer):
    type = "Pooling"
    messages = ("pooling_param",)
    Options = PoolingOptions
    tops = (1, 2)
    writes_out = True

    def check(self) -> None:
        o = self.options
        if o.pool != "MAX" and len(self.spec.top) > 1:
            raise SpecError(f"pool is {o.pool}, which has no places for a second top; expected MAX.")
        kernel = pair(o, "kernel_size", "kernel", default=1 if o.global_pooling else None)
        stride = pair(o, "stride", "stride", default=1)
        pad = pair(o, "pad", "pad", default=0, least=0)
        if o.global_pooling and (kernel, stride, pad) != ((1, 1), (1, 1), (0, 0)):
            raise SpecError("global_pooling takes the whole picture; remove kernel_size, stride and pad.")
        if pad[0] >= kernel[0] or pad[1] >= kernel[1]:
            raise SpecError(f"pad {pad} must be less than the window {kernel}, or a window could lie outside.")
        if o.pool == "STOCHASTIC" and pad != (0, 0):
            raise SpecError("pool is STOCHASTIC, which has no pad; expected a pad of 0.")
        self.windows = [Window(*axis) for axis in zip(kernel, stride, pad, strict=True)]  # for rows and for columns

    def windows_over(self, height: int, width: int) -> tuple[Window, Window]:
        """The windows, for rows and for columns, over a picture of this size."""
        if self.options.global_pooling:
            return Window(height), Window(width)
        return self.windows[0], self.windows[1]

    def _arguments(self, height: int, width: int) -> tuple[tuple[int, int], ...]:
        return paired(self.windows_over(height, width), "size", "stride", "pad")

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        n, channels, height, width = four_axes(bottom[0])
        windows, mode = self.windows_over(height, width), self.options.round_mode
        top = (n, channels, pooled(windows, 0, height, mode), pooled(windows, 1, width, mode))
        return [top] * len(self.spec.top)

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        (x,) = bottom
        if self.options.pool == "STOCHASTIC":
            return self._stochastic(x, run)
        n, channels, height, width = x.shape
        tops = run.outs or [np.empty(shape, x.dtype) for shape in Pooling.top_shapes(self, x.shape)[:2]]
        planes = x.reshape(n * channels, height, width)
        y = tops[0].reshape(n * channels, *tops[0].shape[2:])
        windows = self._arguments(height, width)
        if self.options.pool == "MAX":
            mask = np.empty(y.shape, np.int32)  # the position of each maximum
            max_forward(planes, y, mask, *windows, config.num_threads())
            for top in tops[1:]:
                top[...] = mask.reshape(top.shape)
            run.saved = (x.shape, mask)
        else:
            ave_forward(planes, y, *windows, config.num_threads())
            run.saved = (x.shape, None)
        return list(tops)

    def _gathered(self, x: Shape) -> Windows:
        """The windows over a picture of the shape x, for STOCHASTIC."""
        sizes, strides, pads = paired(self.windows_over(*x[2:]), "size", "stride", "pad")
        return Windows.over(x[2:], sizes, strides, pads, self.top_shapes(x)[0][2:])

    def _stochastic(self, x: Array, run: ForwardRun) -> list[Array]:
        windows = self._gathered(x.shape)
        if self.phase == "TRAIN":
            u = run.shard.random(run.rng(), self.top_shapes(x.shape)[0])
            y, run.saved = stochastic_pooling.draw(x, windows, u)
        else:
            y, run.saved = stochastic_pooling.weigh(x, windows)
        if run.out is not None:
            run.out[...] = y
        return [y if run.out is None else run.out]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        if self.options.pool == "STOCHASTIC":
            backward = stochastic_pooling.draw_backward if self.phase == "TRAIN" else stochastic_pooling.weigh_backward
            (shape,) = run.bottom_shapes
            return [backward(dtop[0], self._gathered(shape), run.saved, shape)]
        shape, mask = run.saved
        dx = np.zeros((shape[0] * shape[1], *shape[2:]), dtop[0].dtype)
        dy = dtop[0].reshape(dx.shape[0], *dtop[0].shape[2:])
        if self.options.pool == "MAX":
            max_backward(dy, mask, dx, config.num_threads())
        else:
            ave_backward(dy, dx, *self._arguments(*shape[2:]), config.num_threads())
        return [dx.reshape(shape)]

    def placement(self) -> tuple[Placement, Placement] | None:
        if self.options.global_pooling:
            return None
        return convolution_placement(self.windows[0]), convolution_placement(self.windows[1])
