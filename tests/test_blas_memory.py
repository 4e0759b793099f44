"""The memory of BLAS is taken early; without it BLAS asks for its buffers without end."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from fcnlite import blas_memory

LIMITED = """
import resource
import fcnlite.threads
import numpy.random
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + (24 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
with fcnlite.threads.blas_alone():
    pass
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_lack_of_memory_is_an_error() -> None:
    ended = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True, timeout=60, check=False)
    assert ended.stderr.splitlines()[-1].startswith("MemoryError: BLAS needs "), ended.stderr


def test_all_threads_compute_at_once() -> None:
    """A product that waits for the others ends only if each thread computes one."""
    others = threading.Barrier(3, timeout=30)
    blas_memory.take(others.wait, 3)


def test_a_thread_that_cannot_be_started_is_a_lack_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(MemoryError, match="BLAS needs 2 threads, which cannot be started"):
        blas_memory.take(lambda: None, 2)
