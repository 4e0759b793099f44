"""The machine: its description, and the rates at which it multiplies and copies."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import fcnlite
from fcnlite import config
from fcnlite._kernels import isa

PACKAGES = ("numpy", "torch", "onnxruntime", "openvino", "opencv-python-headless")
MATRIX = 4096
"""Rows and columns of the multiplied matrices."""
COPIED = 256 << 20
"""Bytes to copy: more than the size of all caches."""


def describe() -> dict[str, Any]:
    """The conditions of the figures: day, processor, cores, instruction set in use, versions of all engines."""
    versions = {"fcnlite": fcnlite.__version__, "python": platform.python_version()}
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    blas = sorted({info["architecture"] for info in config.blas().info() if "architecture" in info})
    return {
        "date": time.strftime("%Y-%m-%d"),
        "cpu": _cpu(),
        "cores": config.available_threads(),
        "isa": isa.name(),
        "blas": blas,
        "system": platform.platform(),
        "versions": versions,
    }


def line(machine: dict[str, Any]) -> str:
    """The line that shows `describe()`."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return f"{machine['cpu']}, {machine['cores']} cores, kernels {machine['isa']}; {versions}"


def _cpu() -> str:
    with suppress(OSError):
        if found := re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE):
            return found[1].strip()
    return platform.processor() or platform.machine()


def best(run: Callable[[], Any], repeats: int) -> float:
    """The seconds of the fastest of `repeats` runs, after one to warm up."""
    run()
    return min(_timed(run) for _ in range(repeats))


def _timed(run: Callable[[], Any]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def sgemm_rate(threads: int, repeats: int = 5) -> float:
    """The multiplications and additions per second of NumPy's float32 matrix product: the machine's measured peak."""
    a, b = np.random.default_rng(0).random((2, MATRIX, MATRIX), np.float32)
    product = np.empty_like(a)
    restore = config.limit_blas(threads)
    try:
        return 2 * MATRIX**3 / best(lambda: np.matmul(a, b, out=product), repeats)
    finally:
        restore()


def copy_rate(threads: int, repeats: int = 5) -> float:
    """The bytes per second, read and written, at which all cores copy arrays."""
    source, target = np.ones((2, COPIED // 4), np.float32)
    parts = list(zip(np.array_split(target, threads), np.array_split(source, threads), strict=True))
    with ThreadPoolExecutor(threads) as pool:
        seconds = best(lambda: list(pool.map(lambda part: np.copyto(*part), parts)), repeats)
    return 2 * COPIED / seconds


def peak_memory() -> int | None:
    """The largest memory of this process so far, in bytes; None where the system does not report it."""
    with suppress(OSError):
        if found := re.search(r"^VmHWM:\s*(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE):
            return int(found[1]) << 10
    return None


def all_threads(threads: int | None) -> int:
    """`threads`, or the number of cores for None."""
    return threads or config.available_threads()


def environment(threads: int) -> dict[str, str]:
    """The environment of a process with `threads` threads; its libraries must not start more."""
    return {**os.environ, "OMP_NUM_THREADS": str(threads)}
