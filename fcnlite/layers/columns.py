"""Convolution as a matrix product (im2col), for Convolution and Deconvolution alike.

With cols(X) the matrix of all patches that the kernel sees (C·KH·KW rows, a column for each output position):

    Y = W · cols(X)        dW = dY · cols(X)ᵀ        dX = col2im(Wᵀ · dY)

col2im is the transpose of cols: it adds each value of a column to the pixel that it stands for. Groups split channels
and weights alike: one product for each. The columns are made in bands of output positions, so that all threads' bands
together stay within `config.SCRATCH_BYTES`, whatever the picture's size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite import config, threads
from fcnlite._kernels.products.im2col import col2im, im2col
from fcnlite.description.shapes import Window, paired
from fcnlite.layers.base import Array

Band = tuple[int, int]
"""Output positions start..stop, counted row by row."""

THIRD = config.SCRATCH_BYTES // 3
"""Bytes for the columns of all threads; as much for sums of products, and for the products that are added to them."""
BAND_BYTES = 1 << 20
"""Bands of about this size are still in the cache when the product reads them."""
LARGEST_COLUMN = THIRD // 8
"""The most values in one column, so that one in float64 still fits; VGG-16's fc6 has 25,088."""
LEAST_BAND = 256
"""With fewer positions than this the matrix product is slow."""


@dataclass(frozen=True)
class Kernel:
    """How a kernel moves over a picture: a window for rows, one for columns, and the number of groups."""

    rows: Window
    columns: Window
    group: int = 1

    @property
    def taps(self) -> int:
        """KH · KW."""
        return self.rows.kernel * self.columns.kernel

    @property
    def pointwise(self) -> bool:
        """Whether the columns are the picture itself (1×1, stride 1, no pad)."""
        return self.rows == self.columns == Window(1)

    def matrix(self, weight: Array) -> Array:
        """The weight, O×C'×KH×KW, as one matrix a group: G × O/G × C'·KH·KW."""
        return weight.reshape(self.group, weight.shape[0] // self.group, -1)

    def bands(self, channels: int, positions: int, itemsize: int, workers: int) -> list[Band]:
        """The output positions in bands for so many workers: small for the cache's sake, and enough to go round."""
        column = channels * self.taps * itemsize
        most = max(1, THIRD // (workers * column))
        width = min(max(BAND_BYTES // column, LEAST_BAND), most)
        return threads.shares(positions, max(-(-positions // width), min(workers, positions // LEAST_BAND)))

    def arguments(self) -> tuple[tuple[int, int], ...]:
        """kernel, stride, pad and dilation as the Cython kernels take them."""
        return paired((self.rows, self.columns), "kernel", "stride", "pad", "dilation")


def _columns(x: Array, kernel: Kernel, out_w: int, band: Band) -> Array:
    """The columns of one picture, C×H×W, for a band of output positions: G × C·KH·KW/G × (stop − start)."""
    start, stop = band
    if kernel.pointwise:
        return x.reshape(kernel.group, x.shape[0] // kernel.group, -1)[:, :, start:stop]
    cols = np.empty((x.shape[0] * kernel.taps, stop - start), x.dtype)
    im2col(x, cols, *kernel.arguments(), out_w, start, stop)
    return cols.reshape(kernel.group, -1, stop - start)


def convolve(x: Array, weight: Array, kernel: Kernel, out: Array | None = None) -> Array:
    """Y = W · cols(X): N×C×H×W and O×C/G×KH×KW give N×O×H'×W', in `out` if given."""
    n, channels, height, width = x.shape
    out_h, out_w = kernel.rows.convolved(height), kernel.columns.convolved(width)
    w = kernel.matrix(weight)
    shape = n, *w.shape[:2], out_h * out_w
    y = np.empty(shape, x.dtype) if out is None else out.reshape(shape)
    large = weight.nbytes > THIRD
    workers = config.num_threads()
    bands = kernel.bands(channels, out_h * out_w, x.itemsize, 1 if large else workers)
    products = [(i, band) for i in range(n) for band in bands]

    def multiply(product: tuple[int, Band]) -> None:
        i, band = product
        np.matmul(w, _columns(x[i], kernel, out_w, band), out=y[i, :, :, slice(*band)])

    # Not every thread should read a large weight: they share out its rows.
    def multiply_by_rows(product: tuple[int, Band]) -> None:
        i, band = product
        cols, out = _columns(x[i], kernel, out_w, band), y[i, :, :, slice(*band)]

        def work(rows: tuple[int, int]) -> None:
            np.matmul(w[:, slice(*rows)], cols, out=out[:, slice(*rows)])

        threads.for_each(work, threads.shares(w.shape[1], workers))

    if large:
        for product in products:
            multiply_by_rows(product)
    else:
        threads.for_each(multiply, products)
    return y.reshape(n, -1, out_h, out_w)


def convolve_backward_data(
    dy: Array, weight: Array, kernel: Kernel, height: int, width: int, out: Array | None = None
) -> Array:
    """dX = col2im(Wᵀ · dY): N×O×H'×W' gives N×C×H×W, in `out` if given. As a forward pass this is deconvolution.

    Neighbouring bands add to the same pixels, so the threads share out the channels.
    """
    n, _, out_h, out_w = dy.shape
    channels, groups = weight.shape[1], kernel.group
    wt = kernel.matrix(weight).transpose(0, 2, 1)
    dy = dy.reshape(n, groups, -1, out_h * out_w)
    shape = n, groups, channels, height, width
    dx = np.empty(shape, dy.dtype) if out is None else out.reshape(shape)
    dx[...] = 0
    workers = config.num_threads()
    bands = kernel.bands(channels * groups, out_h * out_w, dy.itemsize, workers=1)

    def work(item: tuple[int, tuple[int, int], tuple[int, int]]) -> None:
        i, group, channel = item
        part = dx[i, slice(*group), slice(*channel)]
        wt_part = wt[slice(*group), channel[0] * kernel.taps : channel[1] * kernel.taps]
        if kernel.pointwise:
            np.matmul(wt_part, dy[i, slice(*group)], out=part.reshape(*part.shape[:2], -1))
            return
        for start, stop in bands:
            dcols = np.matmul(wt_part, dy[i, slice(*group), :, start:stop])
            for image, cols in zip(part, dcols, strict=True):
                col2im(image, cols, *kernel.arguments(), out_w, start, stop)

    parts = [
        (i, group, channel)
        for i in range(n)
        for group in threads.shares(groups, workers)
        for channel in threads.shares(channels, -(-workers // groups))
    ]
    threads.for_each(work, parts)
    return dx.reshape(n, -1, height, width)


def convolve_backward_weight(x: Array, dy: Array, kernel: Kernel, dweight: Array) -> None:
    """dW = dY · cols(X)ᵀ, summed over the batch, written into `dweight`."""
    n, channels = x.shape[:2]
    out_w = dy.shape[3]
    dy = dy.reshape(n, kernel.group, -1, dy.shape[2] * out_w)
    dw = kernel.matrix(dweight)
    workers = config.num_threads()
    large = workers * dweight.nbytes > THIRD
    bands = kernel.bands(channels, dy.shape[3], x.itemsize, 1 if large else workers)
    products = [(i, band) for i in range(n) for band in bands]

    # Each thread sums a share of the products by itself,
    def add(sum_and_share: tuple[Array, Band]) -> None:
        total, share = sum_and_share
        for i, band in products[slice(*share)]:
            total += np.matmul(dy[i, :, :, slice(*band)], _columns(x[i], kernel, out_w, band).transpose(0, 2, 1))

    # or, where the weight is too large for a sum a thread, some rows of all products.
    def add_by_rows(product: tuple[int, Band]) -> None:
        i, band = product
        cols = _columns(x[i], kernel, out_w, band).transpose(0, 2, 1)

        def work(rows: tuple[int, int]) -> None:
            part, out = dw[:, slice(*rows)], dy[i, :, slice(*rows), slice(*band)]
            if product == products[0]:
                np.matmul(out, cols, out=part)
            else:
                part += np.matmul(out, cols)

        threads.for_each(work, threads.shares(dw.shape[1], max(workers, -(-workers * dw.nbytes // THIRD))))

    if large and products:
        for product in products:
            add_by_rows(product)
    else:
        parts = threads.shares(len(products), workers)
        totals = np.zeros((len(parts), *dw.shape), dw.dtype)
        threads.for_each(add, list(zip(totals, parts, strict=True)))
        np.sum(totals, axis=0, out=dw)
