"""Exercise 2: col2im."""

import numpy as np


def col2im(cols: np.ndarray, shape: tuple[int, int, int], kernel_size: int, stride: int, pad: int) -> np.ndarray:
    channels, height, width = shape
    rows = (height + 2 * pad - kernel_size) // stride + 1
    columns = (width + 2 * pad - kernel_size) // stride + 1
    by_tap = cols.reshape(channels, kernel_size, kernel_size, rows, columns)
    padded = np.zeros((channels, height + 2 * pad, width + 2 * pad), cols.dtype)
    for kh in range(kernel_size):
        for kw in range(kernel_size):
            padded[:, kh : kh + stride * rows : stride, kw : kw + stride * columns : stride] += by_tap[:, kh, kw]
    return padded[:, pad : pad + height, pad : pad + width]
