"""Exercise 1: im2col."""

import numpy as np


def im2col(x: np.ndarray, kernel_size: int, stride: int, pad: int) -> np.ndarray:
    channels, height, width = x.shape
    rows = (height + 2 * pad - kernel_size) // stride + 1
    columns = (width + 2 * pad - kernel_size) // stride + 1
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    cols = np.empty((channels, kernel_size, kernel_size, rows, columns), x.dtype)
    for kh in range(kernel_size):
        for kw in range(kernel_size):
            cols[:, kh, kw] = padded[:, kh : kh + stride * rows : stride, kw : kw + stride * columns : stride]
    return cols.reshape(channels * kernel_size**2, rows * columns)
