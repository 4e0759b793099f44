"""The configuration of this installation."""

from __future__ import annotations

import platform
from contextlib import suppress
from pathlib import Path

import numpy as np

from fcnlite import config
from fcnlite._kernels import isa
from fcnlite._kernels.products.im2col import openmp
from fcnlite._version import __version__


def versions() -> dict[str, str]:
    """The versions of fcnlite, Python, NumPy and SciPy, and the instruction set, which rounding depends on."""
    import scipy

    return {
        "fcnlite": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "instruction_set": isa.name(),
    }


def machine() -> str:
    """The processor and what fcnlite uses of it, for texts with times: "AMD EPYC, 2 threads, instruction set v4"."""
    name = platform.processor() or platform.machine()
    with suppress(OSError):  # only Linux has this file
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    return f"{name}, {_kernel_threads()}, instruction set {isa.name()}"


def show_config() -> str:
    """Print and return versions, threads, instruction set and BLAS libraries, one on each line.

    Raises `FcnliteError` if FCNLITE_ISA or OMP_NUM_THREADS has an unsupported value.
    """
    lines = [
        f"fcnlite {__version__}, Python {platform.python_version()}, NumPy {np.__version__}",
        f"machine: {platform.machine()}, {_counted(config.available_threads(), 'core')} for this process",
        f"kernels: {_kernel_threads()}"
        + ("" if openmp() else " (built without OpenMP)")
        + f", instruction set {isa.name()} of {', '.join(isa.available())} (FCNLITE_ISA)",
    ]
    lines += [
        f"BLAS: {info['internal_api']} {info['version']} ({info.get('architecture', 'unknown core')}), "
        f"{_counted(info['num_threads'], 'thread')}, {info['filepath']}"
        for info in config.blas().info()
        if info["user_api"] == "blas"
    ]
    text = "\n".join(lines)
    print(text)
    return text


def _kernel_threads() -> str:
    return _counted(config.num_threads() if openmp() else 1, "thread")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
