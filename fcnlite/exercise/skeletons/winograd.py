"""Exercise 10: a Winograd tile, F(2×2, 3×3)."""

import numpy as np

BT = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]], np.float32)
"""Bᵀ: from 4 pixels to 4 values."""
G = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], np.float32)
"""G: from 3 weights to 4 values."""
AT = np.array([[1, 1, 1, 0], [0, 1, -1, -1]], np.float32)
"""Aᵀ: from 4 products to 2 outputs."""


def transform_weight(w: np.ndarray) -> np.ndarray:
    """U, 4×4, from a filter w, 3×3."""
    raise NotImplementedError("write transform_weight")


def transform_tile(d: np.ndarray) -> np.ndarray:
    """V, 4×4, from a tile d of 4×4 pixels."""
    raise NotImplementedError("write transform_tile")


def transform_output(m: np.ndarray) -> np.ndarray:
    """The 2×2 outputs, from the products m = U · V, 4×4."""
    raise NotImplementedError("write transform_output")


def convolve(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The convolution of x (C×H×W) with weight (K×C×3×3), without pad: K×(H − 2)×(W − 2), tile by tile.

    y[o, i, j] = Σ weight[o, c, kh, kw] · x[c, i + kh, j + kw]. H and W are any numbers from 3 on. The result has
    the dtype of x.
    """
    raise NotImplementedError("write convolve")
