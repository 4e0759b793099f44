"""Exercise 8: a skip."""

import numpy as np

KERNEL = np.outer([0.25, 0.75, 0.75, 0.25], [0.25, 0.75, 0.75, 0.25])
"""The bilinear kernel of exercise 4 for the factor 2."""


def upsample2(x: np.ndarray) -> np.ndarray:
    """Upsampling by 2, as in exercise 4: K×h×w becomes K×(2h + 2)×(2w + 2)."""
    classes, height, width = x.shape
    y = np.zeros((classes, 2 * height + 2, 2 * width + 2), x.dtype)
    for kh, kw in np.ndindex(4, 4):
        y[:, kh : kh + 2 * height : 2, kw : kw + 2 * width : 2] += KERNEL[kh, kw].astype(x.dtype) * x
    return y


def upsample2_backward(dy: np.ndarray) -> np.ndarray:
    """The transpose of upsample2: K×(2h + 2)×(2w + 2) becomes K×h×w."""
    classes, height, width = dy.shape[0], dy.shape[1] // 2 - 1, dy.shape[2] // 2 - 1
    dx = np.zeros((classes, height, width), dy.dtype)
    for kh, kw in np.ndindex(4, 4):
        dx += KERNEL[kh, kw].astype(dy.dtype) * dy[:, kh : kh + 2 * height : 2, kw : kw + 2 * width : 2]
    return dx


def skip(coarse: np.ndarray, features: np.ndarray, weight: np.ndarray, bias: np.ndarray, offset: int) -> np.ndarray:
    """Coarse scores, upsampled by 2, plus the scores of finer features.

    coarse is K×h×w, features C×H×W, weight K×C (a 1×1 convolution) and bias K. The fine scores are cut to the size
    of the upsampled ones, from row and column `offset` on. The result is K×(2h + 2)×(2w + 2), in the
    dtype of coarse.
    """
    raise NotImplementedError("write skip")


def skip_backward(
    dfused: np.ndarray, coarse: np.ndarray, features: np.ndarray, weight: np.ndarray, offset: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The gradients (dcoarse, dfeatures, dweight, dbias), each of the shape of its array."""
    raise NotImplementedError("write skip_backward")
