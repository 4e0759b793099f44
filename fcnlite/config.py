"""Threads and limits."""

from __future__ import annotations

import functools
import operator
import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, SupportsIndex

from fcnlite.errors import FcnliteError

SCRATCH_BYTES = 64 << 20
"""The most scratch memory that one layer takes in addition to its blobs (im2col's columns)."""

PARAMETER_BYTES = 8 << 30
"""The most memory that one parameter may take; an untrusted description may request any size."""

BLOB_BYTES = 64 << 30
"""The most memory that one blob may take, for the same reason."""

MOST_THREADS = 1024
"""The most threads: more than any machine can use. Each needs its own scratch memory, and OpenMP aborts a process for
which it cannot create threads. The limit does not depend on the cores, so that a run can be resumed on any machine.
"""

_threads: int | None = None
_forked = False


def available_threads() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def num_threads() -> int:
    """The number of threads of fcnlite's kernels: `set_num_threads`, else OMP_NUM_THREADS, else all cores.

    Raises `FcnliteError` if OMP_NUM_THREADS is not a number of threads.
    """
    if _threads is not None:
        return _threads
    asked = os.environ.get("OMP_NUM_THREADS", "").strip()
    return _parsed(asked) if asked else min(available_threads(), MOST_THREADS)


def _parsed(asked: str) -> int:
    """The number in OMP_NUM_THREADS; the first of a list, whose others are for nested loops, which we do not have."""
    found = re.fullmatch(r"([0-9]{1,9})\s*(,\s*[0-9]+\s*)*", asked)
    if found and 1 <= int(found[1]) <= MOST_THREADS:
        return int(found[1])
    raise FcnliteError(
        f"OMP_NUM_THREADS is {asked!r}; expected a number of threads from 1 to {MOST_THREADS}, or a list of them, of "
        "which the first counts: correct it, or unset it for all cores."
    )


def set_num_threads(threads: SupportsIndex) -> None:
    """Use `threads` threads in our kernels and in the BLAS libraries.

    Raises ValueError unless `threads` is a whole number from 1 to `MOST_THREADS`. A forked child computes with one
    thread and cannot have more: it does not have its parent's threads, and would wait for them forever.
    """
    global _threads
    try:
        asked = operator.index(threads)
    except TypeError:
        asked = 0
    if not 1 <= asked <= MOST_THREADS:
        raise ValueError(f"set_num_threads({threads!r}): expected 1 to {MOST_THREADS} threads.")
    if _forked and asked > 1:
        raise ValueError(
            f"set_num_threads({threads!r}): this process was forked, and can compute with 1 thread only; have "
            'multiprocessing start it by "spawn" for more.'
        )
    _threads = asked
    limit_blas(asked)


def limit_blas(threads: int) -> Callable[[], None]:
    """Set the BLAS libraries to `threads` threads. The returned function restores the number before, or sets the one
    that `set_num_threads` has set since.

    threadpoolctl lets only the first thread that calls it change the number, and ignores others while that one lives.
    So one thread of ours makes all calls.
    """
    before = _threads
    limits = _switcher().submit(lambda: blas().limit(limits=threads, user_api="blas")).result()

    def restore() -> None:
        if _threads is None or _threads == before:
            _switcher().submit(limits.restore_original_limits).result()
        else:
            limit_blas(_threads)

    return restore


@functools.cache
def blas() -> Any:
    """The controller of all BLAS libraries' threads. Kept, since making one takes ten times as long as a switch."""
    # A controller knows only the libraries that are loaded when it is made.
    import numpy  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def forget_blas() -> None:
    """Find the BLAS libraries again after one was loaded, and apply the number of threads that was set."""
    blas.cache_clear()
    if _threads is not None:
        limit_blas(_threads)


@functools.cache
def _switcher() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="fcnlite-blas")


def _after_fork() -> None:
    """Use one thread in a forked child, which has neither our thread nor those of the kernels."""
    global _threads, _forked
    _threads, _forked = 1, True
    _switcher.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
