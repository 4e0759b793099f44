"""Gaussian filtering of points of a few axes on the permutohedral lattice (Adams, Baek and Davis, 2010).

    y_i ≈ Σ_j exp(−|p_i − p_j|² / 2) · x_j        in time proportional to the number of points

The lattice divides space into simplices. The value of a point is shared out among the vertices of its simplex by its
barycentric coordinates (splat, Sᵀ); each vertex gets halves of its two neighbours' values along one direction after
the other (blur, B_j); a point reads the vertices of its simplex with the same weights (slice, S):

    y = S · B_d ⋯ B_0 · Sᵀ · x / (1 + 2^−d)        its transpose is S · B_0 ⋯ B_d · Sᵀ / (1 + 2^−d)

Only vertices around points exist, others count as 0, so the order of the blurs matters a little. The filter is linear
in x and its transpose is exact; how far it is from the Gaussian sum depends on the points (docs/layers/forks.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite import config
from fcnlite._kernels.permutohedral import embed, filter_scratch, filtered
from fcnlite.arrays import Array
from fcnlite.errors import DataError

MOST_POINTS = 1 << 25
"""The most points of one lattice, far beyond any picture that a net of ours can hold."""


@dataclass(frozen=True)
class Lattice:
    """The lattice of N points of d axes."""

    vertices: np.ndarray
    """N×(d + 1), integers: the vertices of each point's simplex."""
    weights: Array
    """N×(d + 1): the barycentric coordinates."""
    neighbours: np.ndarray
    """M×(d + 1)×2, integers: the neighbours of each of the M vertices along each direction, −1 for none."""

    @staticmethod
    def of(points: np.ndarray, dtype: np.dtype) -> Lattice:
        """The lattice of `points`, N×d, for filtering values of `dtype`.

        Raises `DataError` for points that are not finite, too far away or too many.
        """
        count, axes = points.shape
        if count > MOST_POINTS:
            raise DataError(f"a picture has {count:,} pixels; expected at most {MOST_POINTS:,}")
        vertices, weights = np.empty((count, axes + 1), np.intc), np.empty((count, axes + 1), dtype)
        neighbours = np.empty((count * (axes + 1), axes + 1, 2), np.intc)  # the system gives memory where it is written
        try:
            found = embed(np.ascontiguousarray(points, np.float64), vertices, weights, neighbours)
        except ValueError as error:
            raise DataError(
                "the picture holds numbers that are not finite or very large, and the distances of colours between "
                "pixels need finite ones: correct the picture or the thetas"
            ) from error
        return Lattice(vertices, weights, neighbours[:found].copy())

    def filter(self, x: Array, transposed: bool = False) -> Array:
        """Each channel of x, C×N, filtered."""
        y, threads = np.empty_like(x), config.num_threads()
        scratch = np.empty(filter_scratch(len(self.neighbours), threads), x.dtype)
        filtered(x, self.vertices, self.weights, self.neighbours, y, transposed, scratch, threads)
        return y
