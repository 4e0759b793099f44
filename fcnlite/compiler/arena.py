"""The memory of a net's forward and backward passes. Arrays with disjoint lifetimes share memory.

A plan knows all arrays of a forward pass. The lifetime of a buffer is from the step that writes it to the last that
reads it. Buffers with overlapping lifetimes are placed apart, the largest first, each at the lowest address that is
free. The arrays of a backward pass depend on the gradients that are requested. They are placed when they are made, at
the lowest free address.
"""

from __future__ import annotations

import sys
from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from fcnlite.arrays import Array, Shape

ALIGNMENT = 16
"""The alignment in floats: a cache line, and the widest vector."""
KEPT_BYTES = 32 << 20
"""The least size of outputs that are kept: malloc already caches smaller ones (glibc: M_MMAP_THRESHOLD)."""
KEPT_CALLS = 4
"""The number of calls after which outputs that were not lent again are freed."""
LARGE = 1 << 28
"""Floats of lending memory above which it is freed if less than a quarter of it was used recently."""

T = TypeVar("T")


@dataclass
class Buffer:
    """Memory of `floats` with a lifetime from step `first` to step `last`, at `offset` of the arena."""

    floats: int
    first: int
    last: int
    offset: int = 0

    def of(self, memory: Array) -> Array:
        """Its part of the arena."""
        return memory[self.offset : self.offset + self.floats]


@dataclass(frozen=True)
class Part:
    """The `floats` of a buffer that begin at `start`."""

    whole: Buffer
    start: int
    floats: int

    def of(self, memory: Array) -> Array:
        return self.whole.of(memory)[self.start : self.start + self.floats]


def place(buffers: Sequence[Buffer]) -> int:
    """Set the offset of every buffer; returns the floats that the arena needs."""
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
    """Memory that grows to the need of a net's plans, and that lends arrays."""

    def __init__(self) -> None:
        self._planned = _Piece(0)
        self._bound: WeakKeyDictionary[object, Any] = WeakKeyDictionary()
        """By plan, its views of `_planned`."""
        self._lending: list[_Piece] = []
        self._most = 0
        """The most floats that were lent at a time, since the last time that none were."""

    @property
    def floats(self) -> int:
        """The floats that it holds, used or not."""
        return sum(each.memory.size for each in (self._planned, *self._lending))

    def of(self, floats: int) -> Array:
        """Memory of `floats` for a plan; may be the memory that the last call returned."""
        if self._planned.memory.size < floats:
            self._bound.clear()
            self._planned = _Piece(0)  # free it before the new one is made
            self._planned = _Piece(floats)
        return self._planned.memory

    def bound(self, plan: object, floats: int, bind: Callable[[Array], T]) -> T:
        """`bind(memory)` for memory of `floats`, called again only once the plans have other memory."""
        memory = self.of(floats)
        found: T | None = self._bound.get(plan)
        if found is None:
            found = self._bound[plan] = bind(memory)
        return found

    def lend(self, shape: Shape) -> Array:
        """An array of this shape; its memory is lent again after the last reference to it or to a view of it.

        Using memory that is new to the process takes longer than the arithmetic of many operations.
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
        # The system commits memory only when it is touched.
        self._lending.append(_Piece(max(floats, sum(each.memory.size for each in self._lending))))
        found = self._lending[-1].take(floats)
        assert found is not None
        return found.reshape(shape)

    def holds(self, array: Array) -> bool:
        """Whether the array is in this arena."""
        return any(np.may_share_memory(array, each.memory) for each in (self._planned, *self._lending))

    def taken(self, array: Array) -> Array:
        """The array, if it is in this arena and contiguous float32; otherwise a copy that is."""
        if array.dtype == np.float32 and array.flags.c_contiguous and self.holds(array):
            return array
        copy = self.lend(array.shape)
        copy[...] = array
        return copy

    def _tidy(self) -> None:
        """While nothing is lent, replace several pieces by one, and free memory that is no longer used."""
        total = sum(each.memory.size for each in self._lending)
        if total > LARGE and self._most < total // 4:
            self._lending = []
        elif len(self._lending) > 1:
            self._lending = []
            self._lending = [_Piece(total)]
        self._most = 0


@dataclass(order=True)
class _Part:
    """Floats start … stop − 1 of a piece, lent as `array`, which all of its views hold."""

    start: int
    stop: int
    array: Array = field(compare=False)


@dataclass
class _Output:
    """An output, lent as views of `array`, the last time at call number `call`."""

    call: int
    array: Array


def _references(lent: _Part | _Output) -> int:
    return sys.getrefcount(lent.array)


_FREE = _references(_Part(0, 1, np.empty(1)))
"""The number of references to a lent array that has no other holder."""


class _Piece:
    """Contiguous memory, and the parts of it that are lent."""

    def __init__(self, floats: int) -> None:
        self.memory = aligned(floats)
        self._parts: list[_Part] = []

    def floats_lent(self) -> int:
        self._parts = [each for each in self._parts if _references(each) > _FREE]
        return sum(each.stop - each.start for each in self._parts)

    def take(self, floats: int) -> Array | None:
        """An array at the lowest free place, if there is one."""
        start = 0
        for each in self._parts:
            if start + floats <= each.start:
                break
            start = _rounded(each.stop)
        if start + floats > self.memory.size:
            return None
        # Made from a buffer, not from an array, so that its views refer to this array, not to the whole piece.
        array = np.frombuffer(self.memory.data[start : start + floats], np.float32)
        insort(self._parts, _Part(start, start + floats, array))
        return array


class Outputs:
    """The arrays that callers get. Each belongs to the caller as long as there are references to it or to a view of it.

    The C library returns large arrays to the system immediately, and using memory that is new to the process takes
    longer than many operations. So the arrays of the last few calls are kept, and lent again once they are free.
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
    """New memory that begins at a cache line, since a vector that spans two lines takes two loads."""
    raw = np.empty(floats + ALIGNMENT, np.float32)
    start = -(raw.ctypes.data // 4) % ALIGNMENT
    return raw[start : start + floats]


def _rounded(floats: int) -> int:
    return -(-floats // ALIGNMENT) * ALIGNMENT
