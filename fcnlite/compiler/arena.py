"""All memory that a net's passes work in: what lives at different times is given the same place.

What a forward writes is known when its plan is made. A buffer lives from the step that writes it to the last that reads
it; buffers whose lives overlap lie apart, the largest placed first, each as low as it fits. What a backward makes hangs
on the gradients that are asked for, so it is placed as it comes, as low as it fits beside what somebody still holds.
"""

from __future__ import annotations

import sys
from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np

from fcnlite.arrays import Array, Shape

ALIGNMENT = 16
"""Floats: a cache line, and the widest vector."""
KEPT_BYTES = 32 << 20
"""Outputs that are smaller the C library keeps by itself (glibc: M_MMAP_THRESHOLD)."""
KEPT_CALLS = 4
"""Outputs that were not lent for so many calls are let go."""
LARGE = 1 << 28
"""Floats of which more than three quarters that nobody has used lately are let go."""


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
            buffer.offset = max(buffer.offset, _rounded(other.offset + other.floats))
        placed.append(buffer)
    return max((each.offset + each.floats for each in placed), default=0)


class Arena:
    """Memory that grows to what the plans of a net need, and that is lent."""

    def __init__(self) -> None:
        self._planned = _Piece(0)
        self._lending: list[_Piece] = []
        self._most = 0
        """Floats that were lent at once, since none was."""

    @property
    def floats(self) -> int:
        """All that it holds, used or not."""
        return sum(each.memory.size for each in (self._planned, *self._lending))

    def of(self, floats: int) -> Array:
        """So many floats for a plan; they may be those of the last call."""
        if self._planned.memory.size < floats:
            self._planned = _Piece(0)  # let go before the new one is made
            self._planned = _Piece(floats)
        return self._planned.memory

    def lend(self, shape: Shape) -> Array:
        """An array of this shape, whose memory is lent again when nobody holds it any more, nor a view of it.

        Memory that is new to the process costs more than the arithmetic of many an operation.
        """
        floats = prod(shape)
        if not floats:
            return np.empty(shape, np.float32)
        lent = sum(each.floats_lent() for each in self._lending)
        if not lent:
            self._tidy()
        self._most = max(self._most, lent + floats)
        for piece in self._lending:
            found = piece.take(floats)
            if found is not None:
                return found.reshape(shape)
        # Memory that nobody has touched yet takes up none.
        self._lending.append(_Piece(max(floats, sum(each.memory.size for each in self._lending))))
        found = self._lending[-1].take(floats)
        assert found is not None
        return found.reshape(shape)

    def holds(self, array: Array) -> bool:
        """Whether the array lies here."""
        return any(np.may_share_memory(array, each.memory) for each in (self._planned, *self._lending))

    def taken(self, array: Array) -> Array:
        """The array, if it lies here as operations read it; else a copy that does, and lives on in its stead."""
        if array.dtype == np.float32 and array.flags.c_contiguous and self.holds(array):
            return array
        copy = self.lend(array.shape)
        copy[...] = array
        return copy

    def _tidy(self) -> None:
        """While nothing is lent, make one piece of several, and let go what was for other pictures' sizes, say."""
        total = sum(each.memory.size for each in self._lending)
        if total > LARGE and self._most < total // 4:
            self._lending = []
        elif len(self._lending) > 1:
            self._lending = []
            self._lending = [_Piece(total)]
        self._most = 0


@dataclass(order=True)
class _Part:
    """Floats start … stop − 1 of a piece, lent as `array`, which all views of it hold."""

    start: int
    stop: int
    array: Array = field(compare=False)


@dataclass
class _Output:
    """An output lent last at a call, as views of `array`."""

    call: int
    array: Array


def _references(lent: _Part | _Output) -> int:
    return sys.getrefcount(lent.array)


_FREE = _references(_Part(0, 1, np.empty(1)))
"""References to an array that was lent and that nobody holds any more."""


class _Piece:
    """Contiguous memory, and what is lent of it."""

    def __init__(self, floats: int) -> None:
        self.memory = aligned(floats)
        self._parts: list[_Part] = []

    def floats_lent(self) -> int:
        self._parts = [each for each in self._parts if _references(each) > _FREE]
        return sum(each.stop - each.start for each in self._parts)

    def take(self, floats: int) -> Array | None:
        """The lowest place that is free, if there is one."""
        start = 0
        for each in self._parts:
            if start + floats <= each.start:
                break
            start = _rounded(each.stop)
        if start + floats > self.memory.size:
            return None
        # Made of a buffer, not of an array: so that NumPy lets views of it hold this array, not the whole piece.
        array = np.frombuffer(self.memory.data[start : start + floats], np.float32)
        insort(self._parts, _Part(start, start + floats, array))
        return array


class Outputs:
    """What callers get: arrays of their own for as long as anybody holds them or views of them.

    The system gives large arrays anew every time and takes them back at once, and memory that is new to a process takes
    longer to come than many an operation. So those of the last few calls are kept, and lent again when nobody holds
    them.
    """

    def __init__(self) -> None:
        self._kept: list[_Output] = []
        self._calls = 0

    def lend(self, shape: Shape, *, keep: bool = True) -> Array:
        """An array of this shape; `keep`: whether it may be kept for a later call."""
        floats = prod(shape)
        self._calls += 1
        self._kept = [each for each in self._kept if each.call > self._calls - KEPT_CALLS]
        if not keep or 4 * floats < KEPT_BYTES:
            return np.empty(shape, np.float32)
        found = next((each for each in self._kept if each.array.size == floats and _references(each) <= _FREE), None)
        if found is None:
            found = _Output(0, np.empty(floats, np.float32))
            self._kept.append(found)
        found.call = self._calls
        return found.array.reshape(shape)


def aligned(floats: int) -> Array:
    """New memory that begins with a cache line: a vector that lies in two takes a load for each."""
    raw = np.empty(floats + ALIGNMENT, np.float32)
    start = -(raw.ctypes.data // 4) % ALIGNMENT
    return raw[start : start + floats]


def _rounded(floats: int) -> int:
    return -(-floats // ALIGNMENT) * ALIGNMENT
