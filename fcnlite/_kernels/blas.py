"""The kernels that call SciPy's BLAS, whose threads `fcnlite.threads` limits like those of NumPy's."""

from __future__ import annotations

import functools
import importlib
from types import ModuleType

from fcnlite import threads


@functools.cache
def blas_kernels() -> ModuleType:
    """The kernels of products/blas.pyx, loaded at the first call: loading takes 0.2 s and 18 MB."""
    kernels = importlib.import_module("fcnlite._kernels.products.blas")
    threads.limit_loaded_blas()
    return kernels
