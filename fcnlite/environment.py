"""The configuration of this installation."""

from __future__ import annotations

import platform

import numpy as np

from fcnlite import config
from fcnlite._kernels import isa
from fcnlite._kernels.products.im2col import openmp
from fcnlite._version import __version__


def show_config() -> str:
    """Print and return versions, threads, instruction set and BLAS libraries, one on each line.

    Raises `FcnliteError` if FCNLITE_ISA or OMP_NUM_THREADS has an unsupported value.
    """
    lines = [
        f"fcnlite {__version__}, Python {platform.python_version()}, NumPy {np.__version__}",
        f"machine: {platform.machine()}, {config.available_threads()} cores for this process",
        f"kernels: {config.num_threads() if openmp() else 1} threads"
        + ("" if openmp() else " (built without OpenMP)")
        + f", instruction set {isa.name()} of {', '.join(isa.available())} (FCNLITE_ISA)",
    ]
    lines += [
        f"BLAS: {info['internal_api']} {info['version']} ({info.get('architecture', 'unknown core')}), "
        f"{info['num_threads']} threads, {info['filepath']}"
        for info in config.blas().info()
        if info["user_api"] == "blas"
    ]
    text = "\n".join(lines)
    print(text)
    return text
