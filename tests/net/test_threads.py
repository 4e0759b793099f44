"""Several threads that call the same net, segmenter or solver."""

from __future__ import annotations

import os
import pickle
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import numpy as np
import pytest

import fcnlite
from fcnlite import SGD, Segmenter, models
from fcnlite.errors import FcnliteError
from fcnlite.net import PATHS, Net
from fcnlite.threads import Turns
from tests.small_nets import LOSS, convolution, inputs

T = TypeVar("T")

RNG = np.random.default_rng(0)
PICTURES = [RNG.normal(0, 50, (1, 3, 32 + 8 * (i % 3), 40)).astype(np.float32) for i in range(8)]
ONES = {each.shape: np.ones((1, 4, *each.shape[2:]), np.float32) for each in PICTURES}

NORMALIZED = f"""
{inputs(2, 8, 9)}
{convolution("conv", "data", 20, 3)}
layer {{ name: "bn" type: "BatchNorm" bottom: "conv" top: "bn" }}
layer {{ name: "scale" type: "Scale" bottom: "bn" top: "bn" scale_param {{ bias_term: true }} }}
layer {{ name: "relu" type: "ReLU" bottom: "bn" top: "bn" }}
{convolution("score", "bn", 4)}
{LOSS}
"""
BATCH = {"data": RNG.normal(size=(2, 3, 8, 9)).astype(np.float32), "label": RNG.integers(0, 4, (2, 1, 8, 9))}


@pytest.fixture(autouse=True)
def switching() -> Iterator[None]:
    """Threads switch often, so that races show."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def small(path: str, phase: str = "TEST") -> Net:
    net = models.build("lite-fcn8s", classes=4, width=0.1, path=path, phase=phase)
    for i, (_, parameter) in enumerate(net.learnable()):
        parameter.data = np.random.default_rng(i).normal(0, 0.05, parameter.shape)
    return net


def normalized(path: str) -> Net:
    return Net(fcnlite.caffe.parse_net(NORMALIZED), phase="TRAIN", path=path)


def together(calls: Sequence[Callable[[], T]]) -> list[T]:
    """The results of the calls, all started at once, each in its own thread."""
    begin = threading.Barrier(len(calls))

    def run(call: Callable[[], T]) -> T:
        begin.wait(30)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def scores(net: Net) -> list[bytes]:
    return [net.forward(data=x, outputs=["score"])["score"].tobytes() for x in PICTURES]


@pytest.mark.parametrize("path", PATHS)
def test_threads_that_call_one_net_get_what_one_thread_gets(path: str) -> None:
    net = small(path)
    alone = scores(net)
    for found in together([lambda: [each for _ in range(3) for each in scores(net)]] * 4):
        assert found == alone * 3


@pytest.mark.parametrize("path", PATHS)
def test_threads_that_call_one_segmenter_get_what_one_thread_gets(path: str) -> None:
    segment = Segmenter(small(path))
    images = [RNG.integers(0, 256, (40, 48 + 8 * i, 3), np.uint8) for i in range(6)]
    alone = [segment(each).tobytes() for each in images]
    assert len(set(alone)) == len(images)
    for found in together([lambda: [segment(each).tobytes() for each in images]] * 4):
        assert found == alone


@pytest.mark.parametrize("path", PATHS)
def test_nets_that_share_parameters_compute_at_once_what_one_computes(path: str) -> None:
    net = small(path)
    alone = scores(net)
    for _ in range(3):  # the parameters change between, so that all threads prepare them again
        for found in together([partial(scores, net.share()) for _ in range(4)]):
            assert found == alone
        nets = [net, *(net.share() for _ in range(3))]
        scores(nets[1])
        net.params["conv1_1"][0].data *= 1.5
        alone = scores(copied(net))
        for found in together([partial(scores, each) for each in nets]):
            assert found == alone


def copied(net: Net) -> Net:
    return pickle.loads(pickle.dumps(net))


def test_nets_that_share_parameters_do_not_wait_for_one_another() -> None:
    net = small("fast")
    other = net.share()
    with net.turns:
        (found,) = together([lambda: scores(other)])
    assert found == scores(net)


@pytest.mark.parametrize("path", PATHS)
def test_first_values_are_drawn_once_for_all_nets_that_share_them(path: str) -> None:
    expected = scores(models.build("lite-fcn8s", classes=4, width=0.1, path=path, seed=3))
    net = models.build("lite-fcn8s", classes=4, width=0.1, path=path, seed=3)
    for found in together([partial(scores, net.share()) for _ in range(4)]):
        assert found == expected


@pytest.mark.parametrize("path", PATHS)
def test_forward_and_backward_are_one_where_a_thread_holds_the_turns(path: str) -> None:
    net = small(path)

    def gradients() -> list[bytes]:
        found = []
        for x in PICTURES[:4]:
            with net.turns:
                net.forward(data=x, keep=True, outputs=["score"])
                net.backward(score=ONES[x.shape], wrt=["data"])
                found.append(net.grads["data"].tobytes() + net.params["conv1_1"][0].grad.tobytes())
        return found

    alone = gradients()
    for found in together([gradients] * 3):
        assert found == alone


@pytest.mark.parametrize("path", PATHS)
def test_gradients_of_inputs_of_nets_that_share_parameters(path: str) -> None:
    net = small(path)

    def gradients(net: Net) -> list[bytes]:
        found = []
        for x in PICTURES:
            net.forward(data=x, keep=True, outputs=["score"])
            net.backward(score=ONES[x.shape], wrt=["data"])
            found.append(net.grads["data"].tobytes())
        return found

    alone = gradients(net)
    for found in together([partial(gradients, net.share()) for _ in range(4)]):
        assert found == alone


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("shared", [False, True])
def test_steps_take_turns(path: str, shared: bool) -> None:
    """Steps on equal batches give the same result in any order, so those of all threads equal those of one."""

    def solver(net: Net) -> SGD:
        return SGD(net, base_lr=0.1)

    alone = solver(normalized(path))
    losses = sorted(alone.step(BATCH) for _ in range(24))
    net = normalized(path)
    one = solver(net)
    solvers = [solver(net.share("TRAIN")) if shared else one for _ in range(4)]
    found = together([lambda each=each: [each.step(BATCH) for _ in range(6)] for each in solvers])  # type: ignore[misc]
    assert sorted(loss for losses in found for loss in losses) == losses
    for name, parameters in net.params.items():
        for ours, expected in zip(parameters, alone.net.params[name], strict=True):
            assert ours.array.tobytes() == expected.array.tobytes(), name


@pytest.mark.parametrize("path", PATHS)
def test_a_net_that_tests_during_training_ends_with_the_last_weights(path: str) -> None:
    net = normalized(path)
    solver, test = SGD(net, base_lr=0.1), net.share()
    done = threading.Event()

    def train() -> None:
        for _ in range(20):
            solver.step(BATCH)
        done.set()

    def watch() -> None:
        while not done.is_set():
            test.forward(data=BATCH["data"])

    together([train, watch])
    expected = copied(test).forward(data=BATCH["data"])["score"]
    assert test.forward(data=BATCH["data"])["score"].tobytes() == expected.tobytes()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("keep", [False, True])
def test_a_pass_that_another_thread_has_replaced_is_an_error(path: str, keep: bool) -> None:
    net = small(path)
    x = PICTURES[0]
    net.forward(data=x, keep=True, outputs=["score"])
    together([lambda: net.forward(data=2 * x, keep=keep)])
    looks: list[Callable[[], Any]] = [
        lambda: net.backward(score=ONES[x.shape]),
        lambda: net.blobs,
        lambda: net.loss,
        lambda: net.grads,
        net.find_nonfinite,
    ]
    for look in looks:
        with pytest.raises(FcnliteError, match=r"another thread has called forward .* net\.share\(\)"):
            look()
    net.forward(data=x, keep=True)
    net.backward(score=ONES[x.shape])


@pytest.mark.parametrize("path", PATHS)
def test_a_kept_pass_may_be_handed_to_another_thread(path: str) -> None:
    net = small(path)
    x = PICTURES[0]
    net.forward(data=x, keep=True)
    net.backward(score=ONES[x.shape])
    expected = net.params["conv1_1"][0].grad.copy()
    net.params["conv1_1"][0].zero_grad()
    net.forward(data=x, keep=True)
    together([lambda: net.backward(score=ONES[x.shape])])
    np.testing.assert_array_equal(net.params["conv1_1"][0].grad, expected)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_no_lock_of_its_parents_threads() -> None:
    turns, held, go = Turns(), threading.Event(), threading.Event()

    def hold() -> None:
        with turns:
            held.set()
            go.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(30)
    child = os.fork()
    if child == 0:
        os._exit(0 if turns._lock.acquire(timeout=5) else 1)
    go.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
