"""Threads: splits a layer's work into one large part for each thread, and lets BLAS use one thread within a part.

Waiting for another thread costs a time slice if other programs compete for the cores. The reference path therefore
waits once for each layer, at its end, instead of twice for every matrix product. The parts depend only on the number of
threads, not on which thread is idle, so that the same number of threads computes the same sums.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import wraps
from itertools import pairwise
from typing import Concatenate, ParamSpec, Protocol, TypeVar
from weakref import WeakSet

import numpy as np

from fcnlite import blas_memory, config
from fcnlite.arrays import Array

T = TypeVar("T")

_lock = threading.Lock()
_pools: dict[int, ThreadPoolExecutor] = {}
_alone = 0
_buffers = 0
"""The number of threads for which NumPy's BLAS has taken its memory."""
_restore: Callable[[], None] | None = None


def shares(count: int, parts: int) -> list[tuple[int, int]]:
    """Split 0 … count − 1 into at most `parts` ranges (start, stop) of nearly equal length, none of them empty.

    For a count of 0, returns one empty range.
    """
    parts = max(1, min(parts, count))
    bounds = [count * i // parts for i in range(parts + 1)]
    return list(pairwise(bounds))


def for_each(work: Callable[[T], None], items: Sequence[T]) -> None:
    """Call `work` for every item, with neighbouring items on the same thread; return when all calls have ended."""

    def chunk(start: int, stop: int) -> None:
        with np.errstate(all="ignore"):  # each thread has its own setting
            for item in items[start:stop]:
                work(item)

    chunks = shares(len(items), config.num_threads())
    with blas_alone():
        others = [_pool(len(chunks) - 1).submit(chunk, *each) for each in chunks[1:]]
        try:
            chunk(*chunks[0])
        finally:
            # After an error, too: the caller may use the arrays only when no thread writes to them.
            errors = [other.exception() for other in others]
    for error in errors:
        if error is not None:
            raise error


def matmul(a: Array, b: Array, out: Array | None = None) -> Array:
    """The matrix product a @ b, split among threads along the longer side of the result."""
    rows, columns = a.shape[0], b.shape[1]
    product = np.empty((rows, columns), a.dtype) if out is None else out

    def work(part: tuple[int, int]) -> None:
        if rows > columns:
            np.matmul(a[slice(*part)], b, out=product[slice(*part)])
        else:
            np.matmul(a, b[:, slice(*part)], out=product[:, slice(*part)])

    for_each(work, shares(max(rows, columns), config.num_threads()))
    return product


@contextmanager
def blas_alone() -> Iterator[None]:
    """Limit BLAS to one thread within the block, also while other threads enter and leave such blocks.

    A net enters it for a whole pass, so that its layers need not switch again. Raises `MemoryError` if there is no room
    for the buffers of BLAS.
    """
    global _alone, _restore
    with _lock:
        if _alone == 0:
            restore = config.limit_blas(1)
            try:
                _take_buffers()
            except MemoryError:
                restore()
                raise
            _restore = restore
        _alone += 1
    try:
        yield
    finally:
        with _lock:
            _alone -= 1
            if _alone == 0 and _restore is not None:
                _restore()


def _take_buffers() -> None:
    global _buffers
    if _buffers < config.num_threads():
        blas_memory.take(blas_memory.numpy_product, config.num_threads())
        _buffers = config.num_threads()


def limit_loaded_blas() -> None:
    """Search for BLAS libraries again, after one was loaded, and limit the new one like the others."""
    global _restore
    with _lock:
        config.forget_blas()
        if _alone and _restore is not None:
            ours, others = config.limit_blas(1), _restore

            def restore() -> None:
                ours()
                others()

            _restore = restore


class Turns:
    """A lock with which threads take turns; the thread that holds it may enter again.

    A pickled or copied lock is a new lock. So is the lock in a forked child, which does not have the thread that could
    release the old one.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        _all_turns.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()

    def __reduce__(self) -> tuple[type[Turns], tuple[()]]:
        return Turns, ()


_all_turns: WeakSet[Turns] = WeakSet()


class _TakesTurns(Protocol):
    @property
    def turns(self) -> Turns: ...


P = ParamSpec("P")
S = TypeVar("S", bound=_TakesTurns)


def in_turn(method: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], T]:
    """Decorate a method to hold the `turns` of its object while it runs."""

    @wraps(method)
    def waits(self: S, /, *args: P.args, **options: P.kwargs) -> T:
        with self.turns:
            return method(self, *args, **options)

    return waits


def _pool(size: int) -> ThreadPoolExecutor:
    with _lock:
        if size not in _pools:
            _pools[size] = ThreadPoolExecutor(size, thread_name_prefix="fcnlite")
        return _pools[size]


def _forget() -> None:
    """Make new pools and locks in a forked child: it lacks its parent's threads, which may hold the locks."""
    global _lock, _alone
    _lock = threading.Lock()
    _alone = 0
    _pools.clear()
    for turns in _all_turns:
        turns._lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
