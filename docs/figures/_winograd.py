"""Winograd's matrices for any points, as the page on Winograd derives them, and the convolution of tiles by them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np


def matrices(points: Sequence[Fraction], r: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Aᵀ, G and Bᵀ of F(m, r) for n − 1 points and ∞, in float64; m = n − r + 1."""
    n = len(points) + 1
    m = n - r + 1

    def powers(count: int) -> np.ndarray:
        rows = [[point**k for k in range(count)] for point in points]
        return np.array([*rows, [Fraction(0)] * (count - 1) + [Fraction(1)]], dtype=object)

    norms = []
    lagrange = []
    for i, point in enumerate(points):
        polynomial = [Fraction(1)]
        norm = Fraction(1)
        for j, other in enumerate(points):
            if i != j:
                polynomial = _times(polynomial, other)
                norm *= point - other
        lagrange.append([*polynomial, Fraction(0)])
        norms.append(norm)
    every = [Fraction(1)]
    for point in points:
        every = _times(every, point)
    g = powers(r) / np.array([*norms, Fraction(1)], dtype=object)[:, None]
    bt = np.array([*lagrange, every], dtype=object)
    return powers(m).T.astype(float), g.astype(float), bt.astype(float)


def _times(polynomial: list[Fraction], root: Fraction) -> list[Fraction]:
    """The product with (x − root); coefficients from the constant on."""
    shifted = [Fraction(0), *polynomial]
    return [a - root * b for a, b in zip(shifted, [*polynomial, Fraction(0)], strict=True)]


def error(points: Sequence[Fraction], r: int, channels: int = 64, tiles: int = 400) -> float:
    """The largest error in float32, relative to the largest output, of sums over `channels` random tiles."""
    at, g, bt = matrices(points, r)
    n = len(points) + 1
    rng = np.random.default_rng(0)
    d = rng.normal(size=(tiles, channels, n, n)).astype(np.float32)
    w = rng.normal(size=(channels, r, r)).astype(np.float32)
    patches = np.lib.stride_tricks.sliding_window_view(d.astype(float), (r, r), axis=(2, 3))
    exact = np.einsum("tcijkl,ckl->tij", patches, w.astype(float), optimize=True)
    a32, g32, b32 = (each.astype(np.float32) for each in (at, g, bt))
    v, u = b32 @ d @ b32.T, g32 @ w @ g32.T
    y = a32 @ (v * u).sum(axis=1, dtype=np.float32) @ a32.T
    return float(abs(y - exact).max() / abs(exact).max())
