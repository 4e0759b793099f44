"""One piece of memory for all that a plan's operations write, each part given to several in turn.

A buffer lives from the step that writes it to the last that reads it. Buffers whose lives overlap lie apart; the
largest are placed first, each as low as it fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fcnlite.layers.base import Array

ALIGNMENT = 16
"""Floats: a cache line, and the widest vector."""


@dataclass
class Buffer:
    """`floats` that live from step `first` to step `last`; `offset` is where they lie."""

    floats: int
    first: int
    last: int
    offset: int = 0

    def of(self, memory: Array) -> Array:
        """Its part of the arena."""
        return memory[self.offset : self.offset + self.floats]


def place(buffers: Sequence[Buffer]) -> int:
    """Give every buffer its offset; returns the floats that all take together."""
    placed: list[Buffer] = []
    for buffer in sorted(buffers, key=lambda each: -each.floats):
        busy = sorted(
            (each for each in placed if each.first <= buffer.last and buffer.first <= each.last),
            key=lambda each: each.offset,
        )
        for other in busy:
            if buffer.offset + buffer.floats <= other.offset:
                break
            buffer.offset = max(buffer.offset, -(-(other.offset + other.floats) // ALIGNMENT) * ALIGNMENT)
        placed.append(buffer)
    return max((each.offset + each.floats for each in placed), default=0)


class Arena:
    """Memory that grows to what the plans of a net need."""

    def __init__(self) -> None:
        self._floats = np.empty(0, np.float32)

    def of(self, floats: int) -> Array:
        """So many floats, aligned; they may be those of the last call."""
        if self._floats.size < floats:
            self._floats = np.empty(0, np.float32)  # let go before the new one is made
            raw = np.empty(floats + ALIGNMENT, np.float32)
            start = -(raw.ctypes.data // 4) % ALIGNMENT
            self._floats = raw[start : start + floats]
        return self._floats
