"""The blocked layout, and the arena: buffers that live at the same time lie apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcnlite.compiler.arena import ALIGNMENT, Arena, Buffer, place
from tests.compiler.problems import ISAS, blocked, guarded, machine_with, unblocked
from tests.compiler.twins import normal

EACH_ISA = pytest.mark.parametrize("instructions", ISAS)
SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 70), st.integers(1, 20), st.integers(1, 20))
BUFFERS = st.lists(
    st.builds(
        lambda floats, first, length: Buffer(floats, first, first + length),
        st.integers(0, 200),
        st.integers(0, 20),
        st.integers(0, 8),
    ),
    max_size=30,
)


@EACH_ISA
@settings(max_examples=40)
@given(shape=SHAPES, threads=st.sampled_from([1, 3]))
def test_to_blocked_and_back(instructions: str, shape: tuple[int, int, int, int], threads: int) -> None:
    kernels, x = machine_with(instructions).kernels, normal(0, *shape)
    n, channels, height, width = shape
    with guarded(n, -(-channels // 16), height, width, 16) as y:
        kernels.to_blocked(x, y, threads)
    np.testing.assert_array_equal(y, blocked(x))
    np.testing.assert_array_equal(unblocked(y, channels), x)
    with guarded(*shape) as back:
        kernels.from_blocked(y, back, threads)
    np.testing.assert_array_equal(back, x)


@EACH_ISA
def test_layouts_that_do_not_fit_are_refused(instructions: str) -> None:
    kernels, x, y = machine_with(instructions).kernels, normal(0, 1, 20, 4, 5), np.zeros((1, 2, 4, 5, 16), np.float32)
    kernels.to_blocked(x, y, 1)
    for wrong in ((2, 2, 4, 5, 16), (1, 1, 4, 5, 16), (1, 2, 5, 5, 16), (1, 2, 4, 4, 16), (1, 2, 4, 5, 8)):
        with pytest.raises(ValueError, match="does not fit"):
            kernels.to_blocked(x, np.zeros(wrong, np.float32), 1)
        with pytest.raises(ValueError, match="does not fit"):
            kernels.from_blocked(np.zeros(wrong, np.float32), x, 1)


@EACH_ISA
@settings(max_examples=30)
@given(shape=SHAPES, gated=st.booleans(), threads=st.sampled_from([1, 3]))
def test_gate_is_the_gradient_behind_relu(
    instructions: str, shape: tuple[int, int, int, int], gated: bool, threads: int
) -> None:
    kernels, dy, y = machine_with(instructions).kernels, normal(0, *shape), np.maximum(normal(1, *shape), 0)
    none, expected = np.empty((0,) * 5, np.float32), dy * (y > 0) if gated else dy
    with guarded(-(-shape[1] // 16), 16) as dbias:
        if gated:
            with guarded(*blocked(dy).shape) as out:
                kernels.gate(blocked(dy), blocked(y), out, dbias, threads)
            np.testing.assert_array_equal(unblocked(out, shape[1]), expected)
        else:
            kernels.gate(blocked(dy), none, none, dbias, threads)
    sums = expected.sum(axis=(0, 2, 3), dtype=np.float64)
    np.testing.assert_allclose(dbias.reshape(-1)[: shape[1]], sums, atol=1e-5 * np.abs(expected).sum())
    assert not dbias.reshape(-1)[shape[1] :].any()


# The arena


@settings(max_examples=300)
@given(buffers=BUFFERS)
def test_buffers_that_live_at_the_same_time_lie_apart(buffers: list[Buffer]) -> None:
    total = place(buffers)
    assert total == max((each.offset + each.floats for each in buffers), default=0)
    for i, one in enumerate(buffers):
        assert one.offset >= 0 and one.offset % ALIGNMENT == 0
        for other in buffers[:i]:
            if one.first <= other.last and other.first <= one.last and one.floats and other.floats:
                assert one.offset + one.floats <= other.offset or other.offset + other.floats <= one.offset


@settings(max_examples=100)
@given(buffers=BUFFERS)
def test_no_more_memory_than_all_side_by_side(buffers: list[Buffer]) -> None:
    assert place(buffers) <= sum(-(-each.floats // ALIGNMENT) * ALIGNMENT for each in buffers)


def test_memory_is_given_to_several_in_turn() -> None:
    buffers = [Buffer(160, i, i + 1) for i in range(10)]
    assert place(buffers) == 320


def test_the_arena_is_aligned_and_grows() -> None:
    arena = Arena()
    for floats in (0, 10, 5, 1000, 7):
        memory = arena.of(floats)
        assert memory.size >= floats and memory.dtype == np.float32
        assert memory.ctypes.data % (4 * ALIGNMENT) == 0 or not floats
        memory[:floats] = 1


# Backward's memory


def test_backward_memory_is_used_again() -> None:
    """What nobody holds; so that it does not grow from step to step."""
    machine = machine_with(ISAS[0])
    first = machine.buffer((4, 25))
    place = first.ctypes.data
    del first
    assert machine.buffer((100,)).ctypes.data == place
    assert machine.buffer((10, 9)).ctypes.data == place  # a little smaller


def test_backward_memory_that_is_held_is_not_lent_again() -> None:
    machine = machine_with(ISAS[0])
    held = [machine.buffer((100,)), machine.buffer((10, 10)), machine.buffer((100,))[10:20].reshape(2, 5)]
    held.append(machine.buffer((100,)).view(np.uint8))
    for i, each in enumerate(held):
        each[...] = i
        assert not any(np.shares_memory(each, other) for other in held[:i])
    for _ in range(5):
        machine.buffer((100,))[...] = 99
    assert all((each == i).all() for i, each in enumerate(held))
