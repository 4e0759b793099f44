"""The cost model: the time that an operation would take, from counts alone.

It measures nothing, so that the same net on the same kind of machine is always computed in the same way. The rates are
those of a core with two 256-bit or one 512-bit multiply-add per cycle; only their ratios matter for a choice.
"""

from __future__ import annotations

import operator
from dataclasses import astuple, dataclass

FLOPS = 110e9
"""Multiplications and additions per second of a core's micro-kernel."""
TRANSFORM_FLOPS = 28e9
"""The same for Winograd's transforms, which load and store as often as they add."""
BANDWIDTH = 25e9
"""Bytes per second between memory and all cores."""
PANEL = 14
"""Rows that AVX-512's micro-kernel multiplies at once. AVX2's has 6; with one number all machines choose alike."""


def in_panels(rows: int) -> int:
    """The rows that are multiplied for `rows`: whole panels."""
    return -(-rows // PANEL) * PANEL


@dataclass(frozen=True)
class Cost:
    """Work, before it is divided among threads."""

    products: float = 0
    """Multiplications and additions in matrix products."""
    transforms: float = 0
    """The same in transforms."""
    memory: float = 0
    """Bytes read and written once."""
    filling: float = 0
    """The part of `products` that is for rows and channels that only fill a block."""

    @property
    def needed(self) -> float:
        """The products in the algorithm's formula; Winograd's counts whole tiles, also at an edge."""
        return self.products - self.filling

    def __add__(self, other: Cost) -> Cost:
        return Cost(*map(operator.add, astuple(self), astuple(other)))

    def seconds(self, threads: int) -> float:
        """The predicted time: the longer of arithmetic, divided among threads, and memory, plus half of the shorter,
        since they overlap in part.
        """
        arithmetic = (self.products / FLOPS + self.transforms / TRANSFORM_FLOPS) / threads
        memory = self.memory / BANDWIDTH
        return max(arithmetic, memory) + min(arithmetic, memory) / 2
