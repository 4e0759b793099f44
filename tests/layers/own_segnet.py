"""A user's module with two layers. Importing it registers their types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from fcnlite.description.fillers import Filler
from fcnlite.errors import ShapeError
from fcnlite.layers import Layer, ParamShape, Run, register


@dataclass(frozen=True)
class BNOptions:
    """The options in `own_bn_param { ... }` and their defaults."""

    scale_filler: Filler = Filler(value=1.0)
    shift_filler: Filler = Filler()
    bn_mode: Literal["LEARN", "INFERENCE"] = "LEARN"
    var_eps: float = 1e-10


@register
class OwnBN(Layer):
    """y = scale · x̂ + shift for each channel; x̂ is x in mode INFERENCE, (x − mean) / √(var + ε) of the batch in LEARN.

    The files of trained SegNets use mode INFERENCE: their scale and shift include the statistics.
    """

    type = "OwnBN"
    messages = ("own_bn_param",)
    Options = BNOptions

    def params(self, *bottom: tuple[int, ...]) -> list[ParamShape]:
        shape = (1, bottom[0][1], 1, 1)
        return [ParamShape(shape, self.options.scale_filler), ParamShape(shape, self.options.shift_filler)]

    def forward(self, bottom: list[np.ndarray], run: Run) -> list[np.ndarray]:
        (x,), (scale, shift) = bottom, run.params
        deviation = np.ones((), x.dtype)
        if self.options.bn_mode == "LEARN":
            deviation = np.sqrt(x.var((0, 2, 3), keepdims=True) + self.options.var_eps)
            x = (x - x.mean((0, 2, 3), keepdims=True)) / deviation
        run.saved = x, deviation
        return [scale * x + shift]

    def backward(self, dtop: list[np.ndarray], run: Run) -> list[np.ndarray | None]:
        (dy,), (x, deviation) = dtop, run.saved
        for dparam, values in zip(run.dparams, (dy * x, dy), strict=True):
            if dparam is not None:
                dparam[...] = values.sum((0, 2, 3), keepdims=True)
        dx = dy * run.params[0]
        if self.options.bn_mode == "LEARN":
            dx -= dx.mean((0, 2, 3), keepdims=True) + x * (dx * x).mean((0, 2, 3), keepdims=True)
        return [dx / deviation]


@dataclass(frozen=True)
class UpsampleOptions:
    """The options in `own_upsample_param { ... }`: a factor, or the size of the top."""

    scale: int = 2
    upsample_h: int | None = None
    upsample_w: int | None = None


@register
class OwnUpsample(Layer):
    """Max unpooling: writes each x to the position of its maximum in the pooling's bottom; the rest is zero.

    Bottoms: x, N×C×H×W, and the mask top of the pooling, the index of each maximum in its plane of H'×W'.
    """

    type = "OwnUpsample"
    messages = ("own_upsample_param",)
    Options = UpsampleOptions
    bottoms = (2, 2)
    no_gradient = frozenset({1})

    def top_shapes(self, *bottom: tuple[int, ...]) -> list[tuple[int, ...]]:
        (n, c, h, w), mask, o = *bottom, self.options
        if mask != (n, c, h, w):
            raise ShapeError(f"expected a mask of x's shape, found {mask}")
        return [(n, c, o.upsample_h or h * o.scale, o.upsample_w or w * o.scale)]

    def forward(self, bottom: list[np.ndarray], run: Run) -> list[np.ndarray]:
        x, mask = bottom
        (shape,) = self.top_shapes(x.shape, mask.shape)
        places = mask.reshape(*shape[:2], -1).astype(int)
        if places.min() < 0 or places.max() >= shape[2] * shape[3]:
            raise ShapeError(f"the mask points outside {shape[2]}×{shape[3]}; set upsample_h and upsample_w")
        y = np.zeros((*shape[:2], shape[2] * shape[3]), x.dtype)
        np.put_along_axis(y, places, x.reshape(places.shape), axis=2)
        run.saved = places, x.shape
        return [y.reshape(shape)]

    def backward(self, dtop: list[np.ndarray], run: Run) -> list[np.ndarray | None]:
        (dy,), (places, shape) = dtop, run.saved
        return [np.take_along_axis(dy.reshape(*places.shape[:2], -1), places, axis=2).reshape(shape), None]
