"""The kernels that call SciPy's BLAS, whose threads `fcnlite.threads` limits like those of NumPy's."""

from __future__ import annotations

import functools
import importlib
from functools import partial
from types import ModuleType

import numpy as np

from fcnlite import blas_memory, config, threads


@functools.cache
def blas_kernels() -> ModuleType:
    """The kernels of products/blas.pyx, loaded at the first call: loading takes 0.2 s and 18 MB.

    Raises `MemoryError` if there is no room for the buffers of BLAS.
    """
    # OpenBLAS starts its own threads when it is loaded, and each takes a buffer.
    blas_memory.check(blas_memory.LIBRARY_BYTES + config.available_threads() * blas_memory.BUFFER_BYTES)
    kernels = importlib.import_module("fcnlite._kernels.products.blas")
    threads.limit_loaded_blas()
    blas_memory.take(partial(_product, kernels), config.num_threads())
    return kernels


def _product(kernels: ModuleType) -> None:
    """A product that SciPy's BLAS computes with a buffer: a 1×1 convolution."""
    x, w = np.ones((1, 256, 16, 16), np.float32), np.ones((1, 256, 256), np.float32)
    empty, places = np.zeros((1, 0), np.float32), np.arange(16, dtype=np.intc)
    windows = ((1, 1), (1, 1), (1, 1))
    how = {"windows": windows, "pointwise": True, "relu": False, "band": 256, "shares": 1}
    bias = np.zeros((1, 256), np.float32)
    kernels.convolve(x, w, bias, empty, np.empty_like(x), places, places, scratch=empty[0], threads=1, **how)
