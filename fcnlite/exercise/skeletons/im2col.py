"""Exercise 1: im2col."""

import numpy as np


def im2col(x: np.ndarray, kernel_size: int, stride: int, pad: int) -> np.ndarray:
    """The patches of a picture under a square window, as the columns of a matrix.

    x is C×H×W. The result is (C·KH·KW) × (H'·W'): one row for each channel c, row kh and column kw of the window,
    in this order (c slowest); one column for each position of the window, along the rows of the picture. x is 0 in
    the pad. The result has the dtype of x.
    """
    raise NotImplementedError("write im2col")
