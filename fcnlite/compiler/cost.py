"""The cost model: what an operation would take, from counts alone.

Nothing is timed, so that the same net on the same kind of machine is always computed the same way. The rates are those
of a core with two 256-bit or one 512-bit multiply-add a cycle; only their proportions matter for a choice.
"""

from __future__ import annotations

import operator
from dataclasses import astuple, dataclass

FLOPS = 110e9
"""Multiplications and additions a second that a core's micro-kernel does."""
TRANSFORM_FLOPS = 28e9
"""The same in Winograd's transforms, which load and store as much as they add."""
BANDWIDTH = 25e9
"""Bytes a second between memory and all cores."""
PANEL = 14
"""Rows that a micro-kernel multiplies at once: AVX-512's. AVX2's has 6; by one number all choose alike."""


def in_panels(rows: int) -> int:
    """The rows that are multiplied for so many."""
    return -(-rows // PANEL) * PANEL


@dataclass(frozen=True)
class Cost:
    """Work, not yet divided among threads."""

    products: float = 0
    """Multiplications and additions of matrix products."""
    transforms: float = 0
    """The same in transforms."""
    memory: float = 0
    """Bytes read and written once."""
    filling: float = 0
    """Of the products, those of rows and channels that only fill a block."""

    @property
    def needed(self) -> float:
        """The products of the algorithm's formula; Winograd's is for whole tiles, where they reach over an edge too."""
        return self.products - self.filling

    def __add__(self, other: Cost) -> Cost:
        return Cost(*map(operator.add, astuple(self), astuple(other)))

    def seconds(self, threads: int) -> float:
        """The predicted time: the longer of arithmetic, shared out among the threads, and memory, and half of the
        shorter, since they overlap in part.
        """
        arithmetic = (self.products / FLOPS + self.transforms / TRANSFORM_FLOPS) / threads
        memory = self.memory / BANDWIDTH
        return max(arithmetic, memory) + min(arithmetic, memory) / 2
