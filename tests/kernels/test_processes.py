"""Kernels in forked children, in several threads, with too many threads, and with arrays that nobody else holds."""

from __future__ import annotations

import gc
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fcnlite
from fcnlite._kernels import update
from fcnlite.arrays import Array
from tests.kernels.recording import functions, recorded

SECONDS = 60


def _step(threads: int) -> Array:
    """The data after one step of SGD from ones, whose gradient is one: 0.9."""
    data, velocity = np.ones(10_000, np.float32), np.zeros(10_000, np.float32)
    update.sgd(data, np.ones_like(data), velocity, 1.0, 0.0, 0.0, 0.1, 0.9, threads)
    return data


def _status(child: int) -> int:
    """The exit status of a forked child, which is killed if it hangs."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return -9


def test_a_forked_child_uses_one_thread() -> None:
    """OpenMP would wait forever for the threads of the parent."""
    _step(2)
    child = os.fork()
    if child == 0:
        os._exit(0 if (_step(2) == np.float32(0.9)).all() else 1)
    assert _status(child) == 0
    assert (_step(2) == np.float32(0.9)).all()


def _square(side: int) -> Any:
    net = fcnlite.models.build("lite-fcn4s", classes=3, width=0.125)
    return net.forward(data=np.ones((1, 3, side, side), np.float32))["score"].shape


def test_a_pool_of_forked_processes_runs_nets() -> None:
    expected = _square(32)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map_async(_square, [32, 32]).get(SECONDS) == [expected] * 2


@pytest.mark.parametrize("threads", [-1, 0, 1025, 2**31 - 1])
def test_impossible_numbers_of_threads_are_refused(threads: int) -> None:
    with pytest.raises(ValueError, match=f"threads is {threads}; expected 1 to 1024"):
        _step(threads)


SHORT_OF_MEMORY = """
import resource
import numpy as np
from fcnlite._kernels import update
from fcnlite.errors import FcnliteError
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20),) * 2)
z = np.zeros(10, np.float32)
try:
    update.sgd(z, z.copy(), z.copy(), 1.0, 0.0, 0.0, 0.1, 0.9, 1000)
except FcnliteError as error:
    print(error)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not tell the memory in use")
def test_threads_that_cannot_start_are_an_error() -> None:
    """OpenMP would end the process."""
    done = subprocess.run([sys.executable, "-c", SHORT_OF_MEMORY], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("The system cannot start 1000 threads: set fewer"), done.stderr
    assert done.returncode == 0


def test_a_net_may_go_while_it_computes() -> None:
    """Its arrays live until the kernels have returned."""
    x = np.random.default_rng(0).normal(size=(1, 3, 48, 48))
    net = fcnlite.models.build("lite-fcn4s", classes=3, width=0.125)
    expected = net.forward(data=x)["score"]
    nets, found = [net.share() for _ in range(4)], []
    del net

    def run() -> None:
        while nets:
            found.append(nets.pop().forward(data=x)["score"])

    threads = [threading.Thread(target=run) for _ in range(2)]
    for each in threads:
        each.start()
    while any(each.is_alive() for each in threads):
        gc.collect()
        time.sleep(0.1)
    assert len(found) == 4
    for score in found:
        np.testing.assert_array_equal(score, expected)


def test_two_threads_of_one_net_take_turns() -> None:
    net = fcnlite.models.build("lite-fcn4s", classes=3, width=0.125)
    pictures = [np.random.default_rng(i).normal(size=(1, 3, 32 + 8 * i, 32)) for i in range(2)]
    expected = [net.forward(data=x)["score"] for x in pictures]
    wrong = []

    def run(i: int) -> None:
        for _ in range(20):
            wrong.append(not np.array_equal(net.forward(data=pictures[i])["score"], expected[i]))

    threads = [threading.Thread(target=run, args=(i,)) for i in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert wrong == [False] * 40


class FreshTiling:
    """A tiling that makes its arrays when they are asked for and keeps none of them."""

    def __init__(self, tiling: Any) -> None:
        self._tiling = tiling

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._tiling, name)
        return value.copy() if isinstance(value, np.ndarray) else value


def test_a_tiling_need_not_keep_its_arrays() -> None:
    (name,) = [each for each in functions() if each.endswith(".winograd_forward")]
    (call, *_) = recorded(lambda: _square(32))[name]
    results = []
    for tiling in (call.arguments[6], FreshTiling(call.arguments[6])):
        y = np.zeros_like(call.arguments[5])
        functions()[name](*call.arguments[:5], y, tiling, **call.options)
        results.append(y)
    assert results[0].any()
    np.testing.assert_array_equal(results[0], results[1])
