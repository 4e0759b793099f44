"""The number of threads, and limits on memory."""

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
"""The most scratch memory that one layer uses in addition to its blobs (the columns of im2col)."""

PARAMETER_BYTES = 8 << 30
"""The largest size of a parameter: an untrusted description may ask for any size."""

BLOB_BYTES = 64 << 30
"""The largest size of a blob, for the same reason."""

MOST_THREADS = 1024
"""The largest number of threads. Each needs scratch memory, and OpenMP ends the process if it cannot start them.

The limit does not depend on this machine's cores, because a resumed run keeps its number of threads on any machine.
"""

_threads: int | None = None
_forked = False


def available_threads() -> int:
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def num_threads() -> int:
    """The number of threads that fcnlite uses: that of `set_num_threads`, else OMP_NUM_THREADS, else all cores.

    Raises `FcnliteError` if OMP_NUM_THREADS is not a valid number of threads.
    """
    if _threads is not None:
        return _threads
    asked = os.environ.get("OMP_NUM_THREADS", "").strip()
    return _parsed(asked) if asked else min(available_threads(), MOST_THREADS)


def _parsed(asked: str) -> int:
    """The number of threads in OMP_NUM_THREADS. Of a list, which is for nested loops, the first number counts."""
    found = re.fullmatch(r"([0-9]{1,9})\s*(,\s*[0-9]+\s*)*", asked)
    if found and 1 <= int(found[1]) <= MOST_THREADS:
        return int(found[1])
    raise FcnliteError(
        f"OMP_NUM_THREADS is {asked!r}; expected a number of threads from 1 to {MOST_THREADS}, or a list of numbers, "
        "of which the first counts: correct it, or unset it for all cores."
    )


def set_num_threads(threads: SupportsIndex) -> None:
    """Use `threads` threads in fcnlite's kernels and in the BLAS libraries.

    A forked child process can use only one: it would wait forever for its parent's threads, which it does not have.
    Raises ValueError unless `threads` is a whole number from 1 to `MOST_THREADS`, and in a forked child unless it is 1.
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
            f"set_num_threads({threads!r}): this process was forked and can use only 1 thread; for more, start it with "
            'the "spawn" method of multiprocessing.'
        )
    _threads = asked
    limit_blas(asked)


def limit_blas(threads: int) -> Callable[[], None]:
    """Set the BLAS libraries to `threads` threads.

    Returns a function that restores the previous number, or the number of a `set_num_threads` that was called since.
    A thread of its own makes all changes, since threadpoolctl obeys only the first thread that makes one, for as long
    as that lives.
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
    """The controller of the BLAS libraries' threads; cached, since making one takes as long as ten switches."""
    # A controller knows only the libraries that are loaded when it is created.
    import numpy  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def forget_blas() -> None:
    """Search for BLAS libraries again, after one was loaded, and give it the number of threads that was set."""
    blas.cache_clear()
    if _threads is not None:
        limit_blas(_threads)


@functools.cache
def _switcher() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="fcnlite-blas")


def _after_fork() -> None:
    """Use one thread in a forked child, which has neither the switching thread nor the kernels' threads."""
    global _threads, _forked
    _threads, _forked = 1, True
    _switcher.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
