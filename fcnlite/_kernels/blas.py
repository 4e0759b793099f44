"""The kernels that call SciPy's BLAS, which `threads` limits with the others."""

from __future__ import annotations

import functools
import importlib
from types import ModuleType

from fcnlite import threads


@functools.cache
def blas_kernels() -> ModuleType:
    """The kernels of products/blas.pyx, loaded when a net first needs them: that takes 0.2 s and 18 MB."""
    kernels = importlib.import_module("fcnlite._kernels.products.blas")
    threads.limit_loaded_blas()
    return kernels
