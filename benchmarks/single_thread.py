"""Processor time on one thread: what other programs on the machine do hardly changes it, unlike the time on a clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from fcnlite import config

MATRIX = 2048
"""Rows and columns of the multiplied matrices."""
COPIED = 256 << 20
"""Bytes to copy: more than the caches of one core."""


class ProcessorClock(list[float]):
    """A `clock` for `Plan.forward` that records the processor time of the process before each step."""

    def append(self, _: float) -> None:
        super().append(time.process_time())


def seconds(run: Callable[[], Any], repeats: int = 5) -> float:
    """The processor time of the fastest of `repeats` runs, after one to warm up."""
    run()
    return min(_timed(run) for _ in range(repeats))


def _timed(run: Callable[[], Any]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began


def product_rate() -> float:
    """The multiplications and additions per second of NumPy's float32 matrix product: the peak of a core."""
    a, b = np.random.default_rng(0).random((2, MATRIX, MATRIX), np.float32)
    product = np.empty_like(a)
    restore = config.limit_blas(1)
    try:
        return 2 * MATRIX**3 / seconds(lambda: np.matmul(a, b, out=product))
    finally:
        restore()


def copy_rate() -> float:
    """The bytes per second, read and written, at which a core copies an array."""
    source, target = np.ones((2, COPIED // 4), np.float32)
    return 2 * COPIED / seconds(lambda: np.copyto(target, source))
