"""Convolution (Caffe's Convolution, CPU).

    y[n, o, i, j] = bias[o] + Σ_{c, k, l} weight[o, c, k, l] · x[n, c, i', j'],
    i' = stride · i + dilation · k − pad,  j' = stride · j + dilation · l − pad

x is 0 in the pad. With group > 1, the channels of x and of y are split into `group` parts, and y's part p is computed
from x's part p alone. As a matrix product, with cols(X) the matrix of the patches under the window (see columns.py):

    Y = W · cols(X) + bias        dX = col2im(Wᵀ · dY), dW = dY · cols(X)ᵀ, dbias = Σ dY

bottom N×C×H×W, top N×num_output×H'×W', H' = ⌊(H + 2·pad − extent) / stride⌋ + 1, extent = dilation·(KH − 1) + 1; weight
num_output×C/group×KH×KW, bias num_output. Options: num_output; kernel_size, stride 1, pad 0, dilation 1, each as one
number, as two for rows and columns, or (the first three) as kernel_h and kernel_w and so on; group 1; bias_term true;
weight_filler and bias_filler constant 0; axis 1, the only one supported. force_nd_im2col is accepted and has no effect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from fcnlite.arrays import Array, Shape
from fcnlite.description.fillers import Filler
from fcnlite.description.shapes import Placement, Window, convolution_placement
from fcnlite.errors import ShapeError, SpecError
from fcnlite.layers.banding import LARGEST_COLUMN, convolve, convolve_backward_data, convolve_backward_weight
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer, ParamShape, four_axes
from fcnlite.layers.columns import Geometry
from fcnlite.layers.options import pair
from fcnlite.layers.registry import register


@dataclass(frozen=True)
class ConvolutionOptions:
    num_output: int = 0
    bias_term: bool = True
    kernel_size: tuple[int, ...] = ()
    kernel_h: int | None = None
    kernel_w: int | None = None
    stride: tuple[int, ...] = ()
    stride_h: int | None = None
    stride_w: int | None = None
    pad: tuple[int, ...] = ()
    pad_h: int | None = None
    pad_w: int | None = None
    dilation: tuple[int, ...] = ()
    group: int = 1
    weight_filler: Filler = Filler()
    bias_filler: Filler = Filler()
    axis: int = 1
    force_nd_im2col: bool = False
    engine: str = "DEFAULT"


@register
class Convolution(Layer):
    type: ClassVar[str] = "Convolution"
    messages = ("convolution_param",)
    Options = ConvolutionOptions
    writes_out = True
    backward_reads = frozenset({"bottom"})

    def check(self) -> None:
        o = self.options
        if o.num_output < 1:
            raise SpecError(f"num_output is {o.num_output}; expected at least 1.")
        if o.group < 1 or o.num_output % o.group:
            raise SpecError(f"num_output {o.num_output} cannot be split into {o.group} groups.")
        if o.axis not in (1, -3):
            raise SpecError(f"axis is {o.axis}; only N×C×H×W with channels on axis 1 is supported.")
        kernel = pair(o, "kernel_size", "kernel", default=None)
        stride = pair(o, "stride", "stride", default=1)
        pad = pair(o, "pad", "pad", default=0, least=0)
        dilation = pair(o, "dilation", "dilation", default=1)
        rows, columns = (Window(*axis) for axis in zip(kernel, stride, pad, dilation, strict=True))
        self.geometry = Geometry(rows, columns, o.group)

    def params(self, *bottom: Shape) -> list[ParamShape]:
        o, channels = self.options, four_axes(bottom[0])[1]
        if channels % o.group:
            raise ShapeError(f"{channels} channels cannot be split into {o.group} groups")
        weight = (*self.weight_channels(channels), self.geometry.rows.size, self.geometry.columns.size)
        column = o.group * prod(weight[1:])
        if column > LARGEST_COLUMN:
            raise ShapeError(f"the window covers {column:,} values; expected at most {LARGEST_COLUMN:,}")
        bias = [ParamShape((o.num_output,), o.bias_filler)] if o.bias_term else []
        return [ParamShape(weight, o.weight_filler), *bias]

    def weight_channels(self, channels: int) -> tuple[int, int]:
        """The weight's first two axes, for a bottom with this number of channels."""
        return self.options.num_output, channels // self.options.group

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        n, _, height, width = four_axes(bottom[0])
        return [
            (n, self.options.num_output, self.geometry.rows.convolved(height), self.geometry.columns.convolved(width))
        ]

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        y = convolve(bottom[0], run.params[0], self.geometry, run.out)
        if self.options.bias_term:
            y += run.params[1][:, None, None]
        return [y]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        (dy,), (x,) = dtop, run.bottom
        if run.dparams[0] is not None:
            convolve_backward_weight(x, dy, self.geometry, run.dparams[0])
        if self.options.bias_term and run.dparams[1] is not None:
            dy.sum(axis=(0, 2, 3), out=run.dparams[1])
        return [convolve_backward_data(dy, run.params[0], self.geometry, *x.shape[2:]) if run.needs[0] else None]

    def placement(self) -> tuple[Placement, Placement]:
        return convolution_placement(self.geometry.rows), convolution_placement(self.geometry.columns)

    def macs(self, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
        n, channels, *_ = bottom[0]
        _, outputs, out_h, out_w = top[0]
        return n * outputs * (channels // self.options.group) * self.geometry.taps * out_h * out_w
