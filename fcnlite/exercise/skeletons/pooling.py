"""Exercise 3: max pooling and its mask."""

import numpy as np


def max_pool(x: np.ndarray, kernel_size: int, stride: int) -> tuple[np.ndarray, np.ndarray]:
    """The maximum under a square window, and the mask: where each maximum is.

    x is C×H×W; y and the mask are C×H'×W' with H' = ⌈(H − kernel_size) / stride⌉ + 1. A window that reaches beyond
    x has only the pixels of x. The mask holds row · W + column of the maximum in its plane of x, the first one in
    reading order if several are equal. y has the dtype of x.
    """
    raise NotImplementedError("write max_pool")


def max_pool_backward(dy: np.ndarray, mask: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """dx: each gradient of y goes to the pixel that won; a pixel that won several times gets the sum.

    dy and mask are C×H'×W'; shape is that of x, (C, H, W). dx has the dtype of dy.
    """
    raise NotImplementedError("write max_pool_backward")
