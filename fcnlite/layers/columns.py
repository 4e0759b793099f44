"""Convolution as a matrix product (im2col), for Convolution and Deconvolution alike.

Let cols(X) be the matrix of all patches of X under the window: one row for each of the C·KH·KW values of a patch, one
column for each output position. Then

    Y = W · cols(X)        dW = dY · cols(X)ᵀ        dX = col2im(Wᵀ · dY)

col2im is the transpose of cols: it adds each value of a column to the pixel that the value was copied from. Each of the
G groups has its own channels, weights and product; all matrices here have the groups as their first axis.

The functions here compute one picture and one band of output positions. banding.py applies them to batches, band by
band and with several threads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite._kernels.products.im2col import col2im, im2col
from fcnlite.arrays import Array
from fcnlite.description.shapes import Window, paired

Band = tuple[int, int]
"""The output positions start to stop − 1, counted row by row."""


@dataclass(frozen=True)
class Geometry:
    """The window and the groups. `rows` slides down the picture, `columns` across it."""

    rows: Window
    columns: Window
    group: int = 1

    @property
    def taps(self) -> int:
        """The number of weights in the window: KH · KW."""
        return self.rows.size * self.columns.size

    @property
    def pointwise(self) -> bool:
        """Whether cols(X) is X itself (1×1, stride 1, no pad)."""
        return self.rows == self.columns == Window(1)

    def matrix(self, weight: Array) -> Array:
        """W, the weight O×C/G×KH×KW as one matrix per group: G × O/G × C/G·KH·KW."""
        return weight.reshape(self.group, weight.shape[0] // self.group, -1)

    def arguments(self, width: int) -> tuple[int | tuple[int, int], ...]:
        """Window size, stride, pad, dilation and output width, as im2col and col2im take them."""
        return *paired((self.rows, self.columns), "size", "stride", "pad", "dilation"), self.columns.convolved(width)


def forward(w: Array, cols: Array, y: Array) -> None:
    """Y = W · cols(X), written into `y`."""
    np.matmul(w, cols, out=y)


def backward_weight(dy: Array, cols: Array, out: Array | None = None) -> Array:
    """dW = dY · cols(X)ᵀ, written into `out` if given."""
    return np.matmul(dy, cols.transpose(0, 2, 1), out=out)


def backward_data(w: Array, dy: Array, dx: Array, geometry: Geometry, band: Band) -> None:
    """dX = col2im(Wᵀ · dY), added to `dx`, G×C/G×H×W.

    A pointwise window overwrites `dx` instead; its band must contain all positions.
    """
    wt = w.transpose(0, 2, 1)
    if geometry.pointwise:
        np.matmul(wt, dy, out=dx.reshape(*dx.shape[:2], -1))
        return
    for image, cols in zip(dx, np.matmul(wt, dy), strict=True):
        col2im(image, cols, *geometry.arguments(dx.shape[-1]), *band)


def columns(x: Array, geometry: Geometry, band: Band) -> Array:
    """cols(X) of one picture, C×H×W, for a band of output positions: G × C/G·KH·KW × (stop − start)."""
    start, stop = band
    if geometry.pointwise:
        return x.reshape(geometry.group, x.shape[0] // geometry.group, -1)[:, :, start:stop]
    cols = np.empty((x.shape[0] * geometry.taps, stop - start), x.dtype)
    im2col(x, cols, *geometry.arguments(x.shape[-1]), start, stop)
    return cols.reshape(geometry.group, -1, stop - start)
