"""The number of threads, and limits on memory."""

from __future__ import annotations

import functools
import operator
import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, SupportsIndex

from fcnlite.errors import FcnliteError

SCRATCH_BYTES = 64 << 20
"""The most scratch memory that one layer uses in addition to its blobs (the columns of im2col)."""

MOST_THREADS = 1024
"""The largest number of threads. Each needs scratch memory, and OpenMP ends the process if it cannot start them.

The limit does not depend on this machine's cores, because a resumed run keeps its number of threads on any machine.
"""

_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")

_max_memory: int | None = None
_threads: int | None = None
_forked = False


def max_memory() -> int:
    """The most memory, in bytes, that a net or a file may ask for: that of `set_max_memory`, else the machine's.

    An untrusted description or picture may ask for any size. Sizes are compared with this limit before memory is
    allocated. The machine's memory is the least of its RAM, the limit of its container and that of `ulimit -v`.
    """
    return _machine_memory() if _max_memory is None else _max_memory


def set_max_memory(size: SupportsIndex) -> None:
    """Limit the memory that a net or a file may ask for to `size` bytes. Raises ValueError for a size below 1 MiB."""
    global _max_memory
    asked = operator.index(size)
    if asked < 1 << 20:
        raise ValueError(f"set_max_memory({size!r}): expected a number of bytes, at least {1 << 20:,}.")
    _max_memory = asked


def excess(size: float) -> str:
    """The part of a message that says that `size` bytes exceed `max_memory`; empty if they do not."""
    if size <= max_memory():
        return ""
    return f"would take {_sized(size)}; at most {_sized(max_memory())} may be used (--max-memory)"


def _sized(size: float) -> str:
    return f"{size / 2**30:,.1f} GiB" if size >= 1 << 30 else f"{size / 2**20:,.1f} MiB"


@functools.cache
def _machine_memory() -> int:
    limits = [1 << 62]
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for name in _CGROUP_LIMITS:
        with suppress(OSError, ValueError):  # the file does not exist, or says "max"
            limits.append(int(Path(name).read_text()))
    with suppress(ImportError):
        import resource

        limits.append(resource.getrlimit(resource.RLIMIT_AS)[0])
    return min(limit for limit in limits if limit > 0)  # RLIM_INFINITY is -1


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


@functools.cache
def _parsed(asked: str) -> int:
    """The number of threads in OMP_NUM_THREADS. The first number of a list counts; the others are for nested loops."""
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
    import numpy  # noqa: F401 - a controller knows only the libraries that are loaded when it is created
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
