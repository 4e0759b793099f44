"""What a plan determines once: the threads of each step, the arrays, and whether BLAS has to be limited."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from fcnlite import config, threads
from fcnlite.arrays import Array, Shape
from fcnlite.compiler.executor import FastPath
from fcnlite.layers import registry
from fcnlite.layers.base import ForwardRun, Layer
from fcnlite.net import Net
from tests.compiler.path_comparison import assert_same_outputs, conv, filled, in_place, layer, normal, plan_of, spec_of


@pytest.mark.usefixtures("two_threads")
def test_small_steps_use_one_thread() -> None:
    layers = conv("a", "data", 16), in_place("ReLU", "a"), conv("b", "a", 32), layer("p", "Softmax", "b")
    small, large = (filled(spec_of((1, 3, size, size), *layers)) for size in (12, 150))
    for net, size, used in ((small, 12, {1}), (large, 150, {2})):
        plan = assert_same_outputs(net, {"data": normal(0, 1, 3, size, size)})
        convolutions = [step for step in plan.steps if "convolution" in step.operation.describe()]
        assert {step.machine.threads for step in convolutions} == used


@pytest.mark.usefixtures("two_threads")
def test_a_step_on_one_thread_learns_too() -> None:
    net = filled(spec_of((1, 3, 12, 12), conv("a", "data", 8, pad=[1]), conv("b", "a", 4)))
    other = Net(net.spec, path="plain", shared=net.params)
    x, dy = normal(0, 1, 3, 12, 12), normal(1, 1, 4, 10, 10)
    found = []
    for each in (net, other):
        each.forward(data=x, keep=True)
        each.backward(b=dy)
        found.append([parameter.grad.copy() for _, parameter in each.learnable()])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4 * abs(theirs).max())


def blas_threads() -> set[int]:
    return {each["num_threads"] for each in config.blas().info() if each["user_api"] == "blas"}


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> list[set[int]]:
    """The numbers of BLAS's threads that each forward of a layer of the user's own type `Watched` sees."""
    seen: list[set[int]] = []

    class Watched(Layer):
        type = "Watched"

        def top_shapes(self, *bottom: Shape) -> list[Shape]:
            return [bottom[0]]

        def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
            seen.append(blas_threads())
            return [2 * bottom[0]]

    monkeypatch.setitem(registry._registry, "Watched", Watched)
    return seen


@pytest.mark.usefixtures("two_threads")
def test_blas_has_one_thread_in_layers_of_users(watched: list[set[int]]) -> None:
    assert blas_threads() == {2}
    net = filled(spec_of((1, 3, 12, 12), conv("a", "data", 8), layer("w", "Watched", "a")))
    net.forward(data=normal(0, 1, 3, 12, 12))
    assert watched and watched[-1] == {1}
    assert blas_threads() == {2}


def test_blas_is_left_alone_by_a_plan_that_does_not_call_it(monkeypatch: pytest.MonkeyPatch) -> None:
    net = filled(spec_of((1, 3, 12, 12), conv("a", "data", 8), in_place("ReLU", "a"), layer("p", "Softmax", "a")))
    x = normal(0, 1, 3, 12, 12)
    expected = assert_same_outputs(net, {"data": x})
    assert expected

    def limit(count: int) -> Callable[[], None]:
        raise AssertionError("BLAS was limited")

    monkeypatch.setattr(config, "limit_blas", limit)
    net.forward(data=x)
    grouped = filled(spec_of((1, 6, 12, 12), conv("a", "data", 6, group=2)))
    with pytest.raises(AssertionError, match="limited"):
        grouped.forward(data=normal(0, 1, 6, 12, 12))
    assert threads._alone == 0


def test_arrays_are_bound_again_when_the_arena_moves() -> None:
    net = filled(spec_of((1, 3, 12, 12), conv("a", "data", 8, pad=[1]), conv("b", "a", 8), conv("c", "b", 2)))
    assert isinstance(net.executor, FastPath)
    small, large = normal(0, 1, 3, 12, 12), normal(1, 2, 3, 80, 90)
    first = net.forward(data=small)["c"].copy()
    plan = plan_of(net, {"data": small})
    before = net.executor.arena.of(0)
    held = net.executor.arena.bound(plan, plan.arena_floats, plan._bind)
    assert held is net.executor.arena.bound(plan, plan.arena_floats, plan._bind)
    assert_same_outputs(net, {"data": large})
    assert net.executor.arena.of(0) is not before
    np.testing.assert_array_equal(net.forward(data=small)["c"], first)
    moved = net.executor.arena.bound(plan, plan.arena_floats, plan._bind)
    assert moved is not held
    assert all(np.may_share_memory(each.scratch, net.executor.arena.of(0)) for each in moved if each.scratch.size)
