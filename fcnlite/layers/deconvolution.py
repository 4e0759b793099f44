"""Deconvolution, the paper's in-network upsampling (section 3.3): the transposed convolution (Caffe's Deconvolution).

    y[n, o, i', j'] = bias[o] + Σ weight[c, o, k, l] · x[n, c, i, j]  over all c, i, j, k, l for which
    i' = stride · i + dilation · k − pad,  j' = stride · j + dilation · l − pad

Every x[n, c, i, j] adds the filter, multiplied by its value, to the top: Convolution's backward pass as a forward pass.

    Y = col2im(Wᵀ · X) + bias        dX = W · cols(dY), dW = X · cols(dY)ᵀ, dbias = Σ dY

bottom N×C×H×W, top N×num_output×H'×W', H' = stride·(H − 1) + extent − 2·pad; weight C×num_output/group×KH×KW, bias
num_output. Options: those of Convolution. With weight_filler bilinear and group = num_output = C it interpolates.
"""

from __future__ import annotations

from collections.abc import Sequence

from fcnlite.arrays import Array, Shape
from fcnlite.description.shapes import Placement, deconvolution_placement
from fcnlite.layers.banding import convolve, convolve_backward_data, convolve_backward_weight
from fcnlite.layers.base import BackwardRun, ForwardRun, four_axes
from fcnlite.layers.convolution import Convolution
from fcnlite.layers.registry import register


@register
class Deconvolution(Convolution):
    type = "Deconvolution"
    writes_out = True

    def weight_channels(self, channels: int) -> tuple[int, int]:
        return channels, self.options.num_output // self.options.group

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        n, _, height, width = four_axes(bottom[0])
        rows, columns = self.geometry.rows, self.geometry.columns
        return [(n, self.options.num_output, rows.deconvolved(height), columns.deconvolved(width))]

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        ((*_, height, width),) = self.top_shapes(bottom[0].shape)
        y = convolve_backward_data(bottom[0], run.params[0], self.geometry, height, width, run.out)
        if self.options.bias_term:
            y += run.params[1][:, None, None]
        return [y]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        (dy,), (x,) = dtop, run.bottom
        if run.dparams[0] is not None:
            convolve_backward_weight(dy, x, self.geometry, run.dparams[0])
        if self.options.bias_term and run.dparams[1] is not None:
            dy.sum(axis=(0, 2, 3), out=run.dparams[1])
        return [convolve(dy, run.params[0], self.geometry) if run.needs[0] else None]

    def placement(self) -> tuple[Placement, Placement]:
        return deconvolution_placement(self.geometry.rows), deconvolution_placement(self.geometry.columns)

    def macs(self, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
        return super().macs(top, bottom)
