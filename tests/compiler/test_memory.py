"""The blocked layout, and the arena: buffers with overlapping lifetimes are placed apart."""

from __future__ import annotations

import weakref
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcnlite.arrays import Array
from fcnlite.compiler import arena as arena_module
from fcnlite.compiler.arena import ALIGNMENT, KEPT_CALLS, Arena, Buffer, Outputs, place
from tests.compiler.convolution.problems import EACH_ISA, blocked, guarded, machine_with, unblocked
from tests.compiler.path_comparison import conv, filled, normal, pool, spec_of

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
def test_the_gradient_of_relu(instructions: str, shape: tuple[int, int, int, int], gated: bool, threads: int) -> None:
    kernels, dy, y = machine_with(instructions).kernels, normal(0, *shape), np.maximum(normal(1, *shape), 0)
    none, expected = np.empty((0,) * 5, np.float32), dy * (y > 0) if gated else dy
    with guarded(-(-shape[1] // 16), 16) as dbias:
        if gated:
            with guarded(*blocked(dy).shape) as out:
                kernels.relu_backward(blocked(dy), blocked(y), out, dbias, threads)
            np.testing.assert_array_equal(unblocked(out, shape[1]), expected)
        else:
            kernels.relu_backward(blocked(dy), none, none, dbias, threads)
    sums = expected.sum(axis=(0, 2, 3), dtype=np.float64)
    np.testing.assert_allclose(dbias.reshape(-1)[: shape[1]], sums, atol=1e-5 * np.abs(expected).sum())
    assert not dbias.reshape(-1)[shape[1] :].any()


# The arena


@settings(max_examples=300)
@given(buffers=BUFFERS)
def test_buffers_with_overlapping_lifetimes_do_not_overlap(buffers: list[Buffer]) -> None:
    total = place(buffers)
    assert total == max((each.offset + each.floats for each in buffers), default=0)
    for i, one in enumerate(buffers):
        assert one.offset >= 0 and one.offset % ALIGNMENT == 0
        for other in buffers[:i]:
            if one.first <= other.last and other.first <= one.last and one.floats and other.floats:
                assert one.offset + one.floats <= other.offset or other.offset + other.floats <= one.offset


@settings(max_examples=100)
@given(buffers=BUFFERS)
def test_memory_does_not_exceed_the_sum_of_all_buffers(buffers: list[Buffer]) -> None:
    assert place(buffers) <= sum(-(-each.floats // ALIGNMENT) * ALIGNMENT for each in buffers)


def test_memory_is_given_to_several_buffers_in_turn() -> None:
    buffers = [Buffer(160, i, i + 1) for i in range(10)]
    assert place(buffers) == 320


def test_the_arena_is_aligned_and_grows() -> None:
    arena = Arena()
    for floats in (0, 10, 5, 1000, 7):
        memory = arena.of(floats)
        assert memory.size >= floats and memory.dtype == np.float32
        assert memory.ctypes.data % (4 * ALIGNMENT) == 0 or not floats
        memory[:floats] = 1


# Lending


def test_unreferenced_memory_is_lent_again() -> None:
    arena = Arena()
    first = arena.lend((4, 25))
    place = first.ctypes.data
    del first
    assert arena.lend((100,)).ctypes.data == place
    assert arena.lend((3, 9)).ctypes.data == place


@pytest.mark.parametrize(
    "view",
    [
        lambda array: array,
        lambda array: array[10:20].reshape(2, 5),
        lambda array: array.view(np.uint8),
        lambda array: array.reshape(10, 10).T[2:4],
        lambda array: array.reshape(4, 25)[:2].reshape(-1).view(np.int32),
    ],
)
def test_memory_with_a_live_view_is_not_lent_again(view: Callable[[Array], Array]) -> None:
    arena = Arena()
    held = view(arena.lend((100,)))
    held[...] = 7
    for _ in range(5):
        arena.lend((100,))[...] = 99
    assert (held == 7).all()


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 20)), max_size=60))
def test_arrays_lent_at_the_same_time_do_not_overlap(orders: list[tuple[int, int]]) -> None:
    """Each order: a number of floats, then which held array to drop, or none."""
    arena, held = Arena(), []
    most = 0
    for number, (floats, dropped) in enumerate(orders):
        array = arena.lend((floats,))
        assert array.shape == (floats,) and array.dtype == np.float32 and array.flags.c_contiguous
        assert not floats or array.ctypes.data % (4 * ALIGNMENT) == 0
        array[...] = number
        held.append((number, array))
        del array
        most = max(most, sum(each.size + ALIGNMENT for _, each in held))
        if dropped < len(held):
            del held[dropped]
        assert all((each == value).all() for value, each in held)
    # A new piece is made only if none has room, and is not larger than all pieces together, or than the order.
    assert arena.floats <= 4 * most + 300


def test_equal_steps_do_not_take_more_memory() -> None:
    arena, floats = Arena(), []
    for _ in range(5):
        held = [arena.lend((size,)) for size in (1000, 10, 3000, 500, 7, 9000)]
        del held[::2]
        held += [arena.lend((size,)) for size in (900, 100, 8000)]
        held.clear()
        floats.append(arena.floats)
    assert len(set(floats[1:])) == 1 and floats[-1] <= floats[0]


def test_memory_for_a_large_picture_is_freed_after_smaller_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arena_module, "LARGE", 1000)
    arena = Arena()
    arena.lend((50_000,))
    for _ in range(3):
        arena.lend((10,))
    assert arena.floats < 1000
    for _ in range(3):  # but not memory that every step needs
        large, small = arena.lend((50_000,)), arena.lend((10,))
        del large, small
    place = arena.lend((50_000,)).ctypes.data
    assert arena.lend((50_000,)).ctypes.data == place


# Outputs

LARGE_OUTPUT = (3, 1 << 22)
"""48 MB."""


def written(outputs: Outputs, value: float, *, keep: bool = True) -> weakref.ref[Array]:
    """Write an output and drop it; return a weak reference to its memory."""
    array = outputs.lend(LARGE_OUTPUT, keep=keep)
    array[...] = value
    return weakref.ref(array if array.base is None else array.base)


def test_the_memory_of_a_large_output_is_lent_again_once_unreferenced() -> None:
    outputs = Outputs()
    written(outputs, 7)
    again = outputs.lend(LARGE_OUTPUT)
    assert (again == 7).all()
    held = again[1:, ::2]
    del again
    written(outputs, 8)
    assert (held == 7).all()
    del held
    assert (outputs.lend(LARGE_OUTPUT) == 7).all()  # the older of two


@pytest.mark.parametrize("shape", [LARGE_OUTPUT, (1, 1 << 22), (10,)])
def test_the_memory_of_a_large_output_is_freed_after_some_calls(shape: tuple[int, ...]) -> None:
    outputs = Outputs()
    memory = written(outputs, 7)
    for _ in range(KEPT_CALLS - 1):
        outputs.lend(shape, keep=False)
    assert memory() is not None
    outputs.lend(shape, keep=False)
    assert memory() is None


def test_only_returned_arrays_are_lent_as_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that is blocked before it becomes an output is in the arena."""
    lent = []
    lend = Outputs.lend

    def noted(self: Outputs, shape: tuple[int, ...], *, keep: bool = True) -> Array:
        lent.append(lend(self, shape, keep=keep))
        return lent[-1]

    monkeypatch.setattr(Outputs, "lend", noted)
    layers = conv("a", "data", 20, pad=[1]), pool("b", "a"), conv("c", "b", 20)
    found = filled(spec_of((1, 3, 20, 21), *layers)).forward(data=normal(0, 1, 3, 20, 21), outputs=["a", "b"])
    assert sorted(map(id, lent)) == sorted(map(id, found.values()))


def test_low_memory_keeps_no_outputs() -> None:
    outputs = Outputs()
    assert written(outputs, 7)() is not None
    assert written(outputs, 7, keep=False)() is None
