"""Takes the memory that BLAS needs before anything else does.

OpenBLAS gives each thread that computes a product a buffer, at the first product, and keeps it. Where there is no room
for the buffer, it asks for it again and again without end, and no signal interrupts it. So the buffers are taken early,
after a check that there is room for all of them.
"""

from __future__ import annotations

import mmap
import threading
from collections.abc import Callable

import numpy as np

BUFFER_BYTES = 33 << 20
"""The size of a buffer of OpenBLAS on x86-64 (32 MiB), and of the stack and arrays of the thread that takes it."""
LIBRARY_BYTES = 192 << 20
"""The room that SciPy's BLAS and what it needs are mapped into."""


def take(product: Callable[[], object], threads: int) -> None:
    """Let `threads` threads compute `product` by BLAS at once, so that each takes a buffer.

    Raises `MemoryError` if there is no room for the buffers.
    """
    try:
        check(threads * BUFFER_BYTES)
        start = threading.Barrier(threads)
        others = [threading.Thread(target=_compute, args=(product, start), daemon=True) for _ in range(threads - 1)]
        try:
            for each in others:
                each.start()
            _compute(product, start)
        except RuntimeError:  # a thread cannot be started
            start.abort()
            raise
        for each in others:
            each.join()
    except RuntimeError as error:
        raise MemoryError(f"BLAS needs {threads} threads, which cannot be started") from error


def check(size: int) -> None:
    """Raise `MemoryError` if there is no room for `size` bytes."""
    try:
        mmap.mmap(-1, size).close()
    except OSError as error:
        raise MemoryError(f"BLAS needs {size >> 20} MB") from error


def numpy_product() -> None:
    """A product that NumPy's BLAS computes with a buffer; it computes smaller ones without."""
    a = np.ones((256, 256), np.float32)
    np.matmul(a, a)


def _compute(product: Callable[[], object], start: threading.Barrier) -> None:
    try:
        start.wait()
    except threading.BrokenBarrierError:
        return
    product()
