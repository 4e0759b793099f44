"""The lifetime of nets: copies, forks, memory for pictures of many sizes, and garbage collection."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fcnlite import models
from fcnlite.net import KEPT_RUNS, Net

RNG = np.random.default_rng(0)


def picture(height: int = 40, width: int = 48) -> np.ndarray:
    return RNG.normal(0, 50, (1, 3, height, width)).astype(np.float32)


def small(path: str = "fast", **how: object) -> Net:
    return models.build("voc-fcn8s", classes=3, width=1 / 16, path=path, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("path", ["fast", "plain"])
def test_an_unreferenced_net_is_freed_immediately(path: str, keep: bool) -> None:
    net = small(path)
    net.forward(data=picture(), keep=keep)
    if keep:
        net.backward(score=np.ones((1, 3, 40, 48), np.float32))
    gc.disable()  # which would collect cycles too, but later
    try:
        gone = weakref.ref(net)
        del net
        assert gone() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
@pytest.mark.parametrize("path", ["fast", "plain"])
def test_a_net_that_has_run_can_be_copied(path: str, copied: Callable[[Net], Net]) -> None:
    net, x = small(path), picture()
    net.params["score_fr"][0].data = RNG.normal(size=net.params["score_fr"][0].shape)
    net.forward(data=x, keep=True)
    other = copied(net)
    np.testing.assert_array_equal(other.forward(data=x)["score"], net.forward(data=x)["score"])
    other.params["conv1_1"][0].data[...] = 0
    assert net.params["conv1_1"][0].array.any()


def test_pictures_of_many_sizes_share_their_memory() -> None:
    net = small(phase="TRAIN")
    held = []
    for i in range(KEPT_RUNS):
        net.forward(data=picture(60 - i, 70 - i), keep=True)
        net.backward(score=np.ones((1, 3, 60 - i, 70 - i), np.float32))
        held.append(net.executor.arena.floats)
    assert held[-1] < 1.5 * held[0]


def test_prepared_weights_are_those_of_the_plans_that_are_kept() -> None:
    net = small()
    net.forward(data=picture(300, 300))
    weighted = {name for name, parameters in net.params.items() if parameters}

    def convolutions() -> list[Any]:
        return [key for key in net.executor.derived if key[0] not in ("interpolation", "zero picture")]

    first = convolutions()
    assert sorted(layer for key in first for layer in key[0]) == sorted(each for each in weighted if "up" not in each)
    net.forward(data=picture(300, 300), outputs=["conv4_3", "score"])  # whose pooling now comes after
    assert convolutions() == first
    for i in range(KEPT_RUNS + 1):
        net.forward(data=picture(9 + i, 9))
    kept = set().union(*(plan.machine.used for plan in net.executor.plans.values()))
    assert set(net.executor.derived) == kept


@pytest.mark.parametrize("path", ["fast", "plain"])
def test_a_forked_child_computes_too(path: str) -> None:
    """It lacks the threads that its parent started, and must not wait for them."""
    code = (
        "import multiprocessing, sys\n"
        "from tests.net.test_lifetime import picture, small\n"
        "net, x = small(sys.argv[1]), picture(97, 131)\n"
        "net.forward(data=x)\n"
        "child = multiprocessing.get_context('fork').Process(target=net.forward, kwargs={'data': x})\n"
        "child.start(); child.join(60)\n"
        "sys.exit(0 if child.exitcode == 0 else (child.kill(), 1)[1])"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "2"}
    ended = subprocess.run([sys.executable, "-c", code, path], env=environment, check=False)
    assert ended.returncode == 0


def test_a_forked_child_may_not_have_more_threads() -> None:
    """It would wait forever for the threads of its parent."""
    code = (
        "import os, fcnlite\n"
        "fcnlite.set_num_threads(1)\n"
        "if child := os.fork():\n"
        "    raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        "fcnlite.set_num_threads(2)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 1 and "set_num_threads(2): this process was forked" in ended.stderr


def test_a_plan_outlives_its_net() -> None:
    net, x = small(), picture()
    expected = net.forward(data=x)
    plan = net.plan({"data": x.shape})
    gone = weakref.ref(net)
    gc.disable()
    try:
        del net
        assert gone() is None
    finally:
        gc.enable()
    found = plan.forward({"data": x}).outputs()
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)
