"""The part of a batch that one rank computes, and sums over the whole batch."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.ranks.communicator import ALONE, Communicator


@dataclass(frozen=True)
class Shard:
    """The part of a batch that this process computes; by default the whole batch."""

    ranks: Communicator = ALONE
    """The ranks that compute the batch together."""
    first: int = 0
    """The place of the first picture here in the whole batch."""

    @property
    def whole(self) -> bool:
        """Whether this process computes the whole batch."""
        return self.ranks.size == 1

    def totals(self, *values: float) -> list[float]:
        """The sums of the numbers over the whole batch."""
        return list(values) if self.whole else self.ranks.sum(np.array(values, np.float64)).tolist()

    def moments(self, mean: Array, variance: Array, count: int) -> tuple[Array, Array, int]:
        """Mean, variance and count of each channel over the whole batch, from those of this part.

        With n_r values on rank r and n in all: mean = Σ n_r · mean_r / n,
        variance = Σ n_r · (variance_r + (mean_r − mean)²) / n (Chan, Golub and LeVeque, 1979).
        """
        if self.whole:
            return mean, variance, count
        counts = np.full(mean.shape, count)
        n, means, variances = self.ranks.stack(np.stack([counts, mean, variance]).astype(np.float64)).swapaxes(0, 1)
        total = n.sum(axis=0)
        over_all = (n * means).sum(axis=0) / total
        spread = (n * (variances + np.square(means - over_all))).sum(axis=0) / total
        return over_all.astype(mean.dtype), spread.astype(variance.dtype), int(total[0])

    def mean(self, means: Array, count: int) -> Array:
        """The means over the whole batch, from the means over the `count` values of this part."""
        if self.whole:
            return means
        sums = self.ranks.sum(np.append(means.astype(np.float64).ravel() * count, float(count)))
        return (sums[:-1] / sums[-1]).reshape(means.shape).astype(means.dtype)

    def random(self, rng: np.random.Generator, shape: Shape) -> Array:
        """Uniform float32 numbers from 0 to 1 for the pictures here: those that the whole batch would get.

        `shape` has the number of pictures here on its first axis. `rng` is new, and of the same seed on every rank.
        """
        if self.first == 0:
            return rng.random(shape, np.float32)
        skipped = self.first * prod(shape[1:])
        generator = rng.bit_generator
        assert isinstance(generator, np.random.PCG64)  # that of default_rng
        generator.advance(skipped // 2)  # it makes 64 bits at a time, which serve two numbers
        if skipped % 2:
            rng.random(dtype=np.float32)
        return rng.random(shape, np.float32)


WHOLE = Shard()
