"""The products of `columns` over batches: band by band, with several threads.

The columns of a large picture would exceed the cache and the scratch memory. So they are made for bands of output
positions, and the bands of all threads together stay within `config.SCRATCH_BYTES` for pictures of any size.
"""

from __future__ import annotations

import numpy as np

from fcnlite import config, threads
from fcnlite.arrays import Array
from fcnlite.layers.columns import Band, Geometry, backward_data, backward_weight, columns, forward

THIRD = config.SCRATCH_BYTES // 3
"""Bytes for the columns of all threads. Sums of products get as much, and so do the products that are added to them."""
BAND_BYTES = 1 << 20
"""The usual size of a band's columns: the product still finds them in the cache."""
LARGEST_COLUMN = THIRD // 8
"""The most values in one column, so that a column in float64 still fits; VGG-16's fc6 has 25,088."""
LEAST_BAND = 256
"""The least number of positions: the matrix product is slow below it."""


def convolve(x: Array, weight: Array, geometry: Geometry, out: Array | None = None) -> Array:
    """Y = W · cols(X): N×C×H×W and O×C/G×KH×KW give N×O×H'×W', in `out` if given."""
    n, channels, height, width = x.shape
    out_h, out_w = geometry.rows.convolved(height), geometry.columns.convolved(width)
    w = geometry.matrix(weight)
    shape = n, *w.shape[:2], out_h * out_w
    y = np.empty(shape, x.dtype) if out is None else out.reshape(shape)
    large = weight.nbytes > THIRD
    workers = config.num_threads()
    bands = _bands(geometry, channels, out_h * out_w, x.itemsize, 1 if large else workers)
    products = [(i, band) for i in range(n) for band in bands]

    def multiply(product: tuple[int, Band]) -> None:
        i, band = product
        forward(w, columns(x[i], geometry, band), y[i, :, :, slice(*band)])

    # Every thread would read the whole of a large weight, so the threads share its rows instead.
    def multiply_by_rows(product: tuple[int, Band]) -> None:
        i, band = product
        cols = columns(x[i], geometry, band)

        def work(rows: tuple[int, int]) -> None:
            forward(w[:, slice(*rows)], cols, y[i, :, slice(*rows), slice(*band)])

        threads.for_each(work, threads.shares(w.shape[1], workers))

    if large:
        for product in products:
            multiply_by_rows(product)
    else:
        threads.for_each(multiply, products)
    return y.reshape(n, -1, out_h, out_w)


def convolve_backward_data(
    dy: Array, weight: Array, geometry: Geometry, height: int, width: int, out: Array | None = None
) -> Array:
    """dX = col2im(Wᵀ · dY): N×O×H'×W' gives N×C×H×W, in `out` if given. As a forward pass this is deconvolution.

    Neighbouring bands add to the same pixels, so the threads share the channels, not the bands.
    """
    n, _, out_h, out_w = dy.shape
    channels, groups = weight.shape[1], geometry.group
    w = geometry.matrix(weight)
    dy = dy.reshape(n, groups, -1, out_h * out_w)
    shape = n, groups, channels, height, width
    dx = np.empty(shape, dy.dtype) if out is None else out.reshape(shape)
    dx[...] = 0
    workers = config.num_threads()
    bands = [(0, out_h * out_w)]
    if not geometry.pointwise:
        bands = _bands(geometry, channels * groups, out_h * out_w, dy.itemsize, workers=1)

    def work(part: tuple[int, tuple[int, int], tuple[int, int]]) -> None:
        i, group, channel = part
        of_channels = slice(channel[0] * geometry.taps, channel[1] * geometry.taps)
        w_part, dx_part = w[slice(*group), :, of_channels], dx[i, slice(*group), slice(*channel)]
        for band in bands:
            backward_data(w_part, dy[i, slice(*group), :, slice(*band)], dx_part, geometry, band)

    parts = [
        (i, group, channel)
        for i in range(n)
        for group in threads.shares(groups, workers)
        for channel in threads.shares(channels, -(-workers // groups))
    ]
    threads.for_each(work, parts)
    return dx.reshape(n, -1, height, width)


def convolve_backward_weight(x: Array, dy: Array, geometry: Geometry, dweight: Array) -> None:
    """dW = dY · cols(X)ᵀ, summed over the batch, written into `dweight`."""
    n, channels, *_ = x.shape
    dy = dy.reshape(n, geometry.group, -1, dy.shape[2] * dy.shape[3])
    dw = geometry.matrix(dweight)
    workers = config.num_threads()
    large = workers * dweight.nbytes > THIRD
    bands = _bands(geometry, channels, dy.shape[3], x.itemsize, 1 if large else workers)
    products = [(i, band) for i in range(n) for band in bands]

    # Each thread sums its share of the products into a separate array.
    def add(sum_and_share: tuple[Array, Band]) -> None:
        total, share = sum_and_share
        for i, band in products[slice(*share)]:
            total += backward_weight(dy[i, :, :, slice(*band)], columns(x[i], geometry, band))

    # If the weight is too large for one sum for each thread, each thread sums some rows of all products.
    def add_by_rows(product: tuple[int, Band]) -> None:
        i, band = product
        cols = columns(x[i], geometry, band)

        def work(rows: tuple[int, int]) -> None:
            total, dy_part = dw[:, slice(*rows)], dy[i, :, slice(*rows), slice(*band)]
            if product == products[0]:
                backward_weight(dy_part, cols, out=total)
            else:
                total += backward_weight(dy_part, cols)

        threads.for_each(work, threads.shares(dw.shape[1], max(workers, -(-workers * dw.nbytes // THIRD))))

    if large and products:
        for product in products:
            add_by_rows(product)
    else:
        parts = threads.shares(len(products), workers)
        totals = np.zeros((len(parts), *dw.shape), dw.dtype)
        threads.for_each(add, list(zip(totals, parts, strict=True)))
        np.sum(totals, axis=0, out=dw)


def _bands(geometry: Geometry, channels: int, positions: int, itemsize: int, workers: int) -> list[Band]:
    """The output positions in bands: small for the sake of the cache, and enough of them to occupy all workers."""
    column = channels * geometry.taps * itemsize
    most = max(1, THIRD // (workers * column))
    width = min(max(BAND_BYTES // column, LEAST_BAND), most)
    return threads.shares(positions, max(-(-positions // width), min(workers, positions // LEAST_BAND)))
