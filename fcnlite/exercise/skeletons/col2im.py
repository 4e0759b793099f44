"""Exercise 2: col2im."""

import numpy as np


def col2im(cols: np.ndarray, shape: tuple[int, int, int], kernel_size: int, stride: int, pad: int) -> np.ndarray:
    """The transpose of im2col: each value of a column is added to the pixel that im2col would copy it from.

    cols is (C·KH·KW) × (H'·W'), in the order of exercise 1; shape is (C, H, W). The result is C×H×W. Values that
    belong to the pad are dropped, and pixels that no window reads are 0. The result has the dtype of cols.
    """
    raise NotImplementedError("write col2im")
