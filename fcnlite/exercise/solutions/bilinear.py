"""Exercise 4: the bilinear kernel."""

import numpy as np


def bilinear_kernel(kernel_size: int) -> np.ndarray:
    factor = (kernel_size + 1) // 2
    line = 1 - np.abs(np.arange(kernel_size) - (kernel_size - 1) / 2) / factor
    return np.outer(line, line)


def upsample(x: np.ndarray, factor: int) -> np.ndarray:
    channels, height, width = x.shape
    size = 2 * factor - factor % 2
    kernel = bilinear_kernel(size).astype(x.dtype)
    y = np.zeros((channels, factor * (height - 1) + size, factor * (width - 1) + size), x.dtype)
    for kh in range(size):
        for kw in range(size):
            y[:, kh : kh + factor * height : factor, kw : kw + factor * width : factor] += kernel[kh, kw] * x
    return y
