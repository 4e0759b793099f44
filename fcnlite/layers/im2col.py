"""The patches under a window as channels (Caffe's Im2col).

    y[n, (c, k, l), i, j] = x[n, c, stride · i + dilation · k − pad, stride · j + dilation · l − pad]
    dx = the sum of dy over all places that a pixel was copied to

bottom N×C×H×W, top N×(C·KH·KW)×H'×W', with H' and W' of a convolution, and 0 in the pad. Options: kernel_size, stride
1, pad 0 and dilation 1 of convolution_param, as for a Convolution; its other options have no effect.
"""

from __future__ import annotations

import numpy as np

from fcnlite._kernels.products.im2col import col2im
from fcnlite.arrays import Array, Shape
from fcnlite.description.shapes import Placement, Window, convolution_placement
from fcnlite.layers import columns as patches
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer, four_axes
from fcnlite.layers.columns import Geometry
from fcnlite.layers.convolution import ConvolutionOptions
from fcnlite.layers.options import pair
from fcnlite.layers.registry import register


@register
class Im2col(Layer):
    type = "Im2col"
    messages = ("convolution_param",)
    Options = ConvolutionOptions

    def check(self) -> None:
        o = self.options
        kernel = pair(o, "kernel_size", "kernel", default=None)
        stride = pair(o, "stride", "stride", default=1)
        pad = pair(o, "pad", "pad", default=0, least=0)
        dilation = pair(o, "dilation", "dilation", default=1)
        rows, columns = (Window(*axis) for axis in zip(kernel, stride, pad, dilation, strict=True))
        self.geometry = Geometry(rows, columns)

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        n, channels, height, width = four_axes(bottom[0])
        g = self.geometry
        return [(n, channels * g.taps, g.rows.convolved(height), g.columns.convolved(width))]

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        (x,) = bottom
        ((n, channels, height, width),) = self.top_shapes(x.shape)
        y = np.empty((n, channels, height * width), x.dtype)
        for picture, top in zip(x, y, strict=True):
            top[...] = patches.columns(picture, self.geometry, (0, height * width))[0]
        return [y.reshape(n, channels, height, width)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        (dy,), (shape,) = dtop, run.bottom_shapes
        dx = np.zeros(shape, dy.dtype)
        positions = dy.shape[2] * dy.shape[3]
        for picture, top in zip(dx, dy, strict=True):
            col2im(picture, top.reshape(-1, positions), *self.geometry.arguments(shape[3]), 0, positions)
        return [dx]

    def placement(self) -> tuple[Placement, Placement]:
        return convolution_placement(self.geometry.rows), convolution_placement(self.geometry.columns)
