"""Convolution as a matrix product (im2col), for Convolution and Deconvolution alike.

With cols(X) the matrix of all patches that the kernel sees (C·KH·KW rows, a column for each output position):

    Y = W · cols(X)        dW = dY · cols(X)ᵀ        dX = col2im(Wᵀ · dY)

Groups split channels and weights alike: one product for each. The columns are made in bands of output positions,
so that they stay within `config.SCRATCH_BYTES` whatever the picture's size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fcnlite import config
from fcnlite._kernels.im2col import col2im, im2col
from fcnlite.shapes import Window

Array = np.ndarray[Any, np.dtype[Any]]

BAND_BYTES = min(4 << 20, config.SCRATCH_BYTES)
"""Bands of about this size are still in the cache when the product reads them."""


@dataclass(frozen=True)
class Kernel:
    """How a kernel moves over a picture: a window for rows, one for columns, and the number of groups."""

    rows: Window
    columns: Window
    group: int = 1

    @property
    def pointwise(self) -> bool:
        """Whether the columns are the picture itself (1×1, stride 1, no pad)."""
        return self.rows == self.columns == Window(1)

    def matrix(self, weight: Array) -> Array:
        """The weight, O×C'×KH×KW, as one matrix a group: G × O/G × C'·KH·KW."""
        return weight.reshape(self.group, weight.shape[0] // self.group, -1)

    def bands(self, channels: int, positions: int, itemsize: int) -> Iterator[tuple[int, int]]:
        """The output positions in bands start..stop whose columns fit the scratch memory."""
        column = channels * self.rows.kernel * self.columns.kernel * itemsize
        # No fewer than 256 positions, below which the matrix product is slow, if they fit at all.
        width = max(BAND_BYTES // column, min(256, config.SCRATCH_BYTES // column), 1)
        for start in range(0, positions, width):
            yield start, min(start + width, positions)

    def arguments(self) -> tuple[tuple[int, int], ...]:
        """kernel, stride, pad and dilation as the Cython kernels take them."""
        r, c = self.rows, self.columns
        return (r.kernel, c.kernel), (r.stride, c.stride), (r.pad, c.pad), (r.dilation, c.dilation)


def _columns(x: Array, kernel: Kernel, out_w: int, start: int, stop: int) -> Array:
    """The columns of one picture, C×H×W, for the output positions start..stop: G × C·KH·KW/G × (stop − start)."""
    if kernel.pointwise:
        return x.reshape(kernel.group, x.shape[0] // kernel.group, -1)[:, :, start:stop]
    cols = np.empty((x.shape[0] * kernel.rows.kernel * kernel.columns.kernel, stop - start), x.dtype)
    im2col(x, cols, *kernel.arguments(), out_w, start, stop, config.num_threads())
    return cols.reshape(kernel.group, -1, stop - start)


def convolve(x: Array, weight: Array, kernel: Kernel) -> Array:
    """Y = W · cols(X): N×C×H×W and O×C/G×KH×KW give N×O×H'×W'."""
    n, channels, height, width = x.shape
    out_h, out_w = kernel.rows.convolved(height), kernel.columns.convolved(width)
    w = kernel.matrix(weight)
    y = np.empty((n, *w.shape[:2], out_h * out_w), x.dtype)
    for image, out in zip(x, y, strict=True):
        for start, stop in kernel.bands(channels, out_h * out_w, x.itemsize):
            np.matmul(w, _columns(image, kernel, out_w, start, stop), out=out[:, :, start:stop])
    return y.reshape(n, -1, out_h, out_w)


def convolve_backward_data(dy: Array, weight: Array, kernel: Kernel, height: int, width: int) -> Array:
    """dX = col2im(Wᵀ · dY): N×O×H'×W' gives N×C×H×W. As a forward pass this is deconvolution."""
    n, _, out_h, out_w = dy.shape
    wt = kernel.matrix(weight).transpose(0, 2, 1)
    channels = weight.shape[1] * kernel.group
    dy = dy.reshape(n, kernel.group, -1, out_h * out_w)
    if kernel.pointwise:
        return np.matmul(wt, dy).reshape(n, channels, height, width)
    dx = np.zeros((n, channels, height, width), dy.dtype)
    for out, image in zip(dy, dx, strict=True):
        for start, stop in kernel.bands(channels, out_h * out_w, dy.itemsize):
            dcols = np.matmul(wt, out[:, :, start:stop]).reshape(-1, stop - start)
            col2im(image, dcols, *kernel.arguments(), out_w, start, stop, config.num_threads())
    return dx


def convolve_backward_weight(x: Array, dy: Array, kernel: Kernel, dweight: Array) -> None:
    """dW = dY · cols(X)ᵀ, summed over the batch, written into `dweight`."""
    n, channels = x.shape[:2]
    out_w = dy.shape[3]
    dy = dy.reshape(n, kernel.group, -1, dy.shape[2] * out_w)
    dw = kernel.matrix(dweight)
    empty = True
    for image, out in zip(x, dy, strict=True):
        for start, stop in kernel.bands(channels, dy.shape[3], x.itemsize):
            cols = _columns(image, kernel, out_w, start, stop).transpose(0, 2, 1)
            if empty:
                np.matmul(out[:, :, start:stop], cols, out=dw)
                empty = False
            else:
                dw += np.matmul(out[:, :, start:stop], cols)
    if empty:
        dw.fill(0)
