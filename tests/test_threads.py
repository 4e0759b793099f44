"""Sharing out work among threads."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcnlite import config, threads
from fcnlite.errors import FcnliteError


@pytest.fixture(params=(1, 2, 5))
def workers(request: pytest.FixtureRequest) -> Iterator[int]:
    before = config.num_threads()
    config.set_num_threads(request.param)
    yield request.param
    config.set_num_threads(before)


@pytest.mark.parametrize(
    ("asked", "threads"), [("", None), (" ", None), ("3", 3), (" 03 ", 3), ("3,1", 3), ("3 , 2,1", 3), ("1024", 1024)]
)
def test_the_environment_sets_the_number(monkeypatch: pytest.MonkeyPatch, asked: str, threads: int | None) -> None:
    monkeypatch.setattr(config, "_threads", None)
    monkeypatch.setattr(config, "available_threads", lambda: 7)
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert config.num_threads() == (threads or 7)


@pytest.mark.parametrize("asked", ["0", "-1", "abc", "²", "٣", "2.5", "2,", ",2", "2,x", "1025", "100000"])
def test_values_that_are_not_a_number_of_threads_are_named(monkeypatch: pytest.MonkeyPatch, asked: str) -> None:
    monkeypatch.setattr(config, "_threads", None)
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    with pytest.raises(FcnliteError, match=f"OMP_NUM_THREADS is '{asked}'; expected a number of threads from 1 to"):
        config.num_threads()
    monkeypatch.setattr(config, "_threads", 2)  # what the program says counts before the environment
    assert config.num_threads() == 2


@given(count=st.integers(0, 200), parts=st.integers(1, 40))
def test_shares_cover_everything_once_and_nearly_evenly(count: int, parts: int) -> None:
    ranges = threads.shares(count, parts)
    assert [i for start, stop in ranges for i in range(start, stop)] == list(range(count))
    lengths = [stop - start for start, stop in ranges]
    assert len(ranges) == max(1, min(count, parts))
    assert max(lengths) - min(lengths) <= 1


def test_every_item_is_done_once_on_at_most_the_requested_threads(workers: int) -> None:
    done: list[int] = []
    names = set()

    def work(item: int) -> None:
        done.append(item)
        names.add(threading.current_thread().name)

    threads.for_each(work, range(50))
    assert sorted(done) == list(range(50))
    assert len(names) <= workers


def test_an_empty_list_is_not_an_error(workers: int) -> None:
    threads.for_each(lambda item: pytest.fail("called"), [])


def test_an_error_on_any_thread_reaches_the_caller_after_all_have_ended(workers: int) -> None:
    done: list[int] = []

    def work(item: int) -> None:
        if item in (0, 49):
            raise ValueError(f"item {item}")
        done.append(item)

    with pytest.raises(ValueError, match="item"):
        threads.for_each(work, range(50))
    count = len(done)
    threads.for_each(lambda item: None, range(10))
    assert len(done) == count


@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 40))
def test_matmul_is_the_matrix_product(rows: int, inner: int, columns: int) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(rows, inner)), rng.normal(size=(inner, columns))
    np.testing.assert_allclose(threads.matmul(a, b), a @ b, atol=1e-12)
    out = np.empty((rows, columns))
    assert threads.matmul(a, b, out=out) is out
    np.testing.assert_allclose(out, a @ b, atol=1e-12)


def blas_threads() -> set[int]:
    return {info["num_threads"] for info in config.blas().info() if info["user_api"] == "blas"}


def test_blas_has_one_thread_inside_and_its_own_number_again_afterwards() -> None:
    before = blas_threads()
    seen: list[set[int]] = []
    threads.for_each(lambda item: seen.append(blas_threads()), range(4))
    assert all(each == {1} for each in seen)
    assert blas_threads() == before


def test_blas_is_found_before_anything_is_computed() -> None:
    """In a process of its own, which has not imported NumPy yet."""
    script = "import fcnlite; fcnlite.set_num_threads(1); from fcnlite import config; print(len(config.blas().info()))"
    assert int(subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=True).stdout) > 0


def test_a_blas_that_is_loaded_later_has_the_threads_too() -> None:
    script = (
        "import fcnlite; fcnlite.set_num_threads(1); from fcnlite import config\n"
        "from fcnlite._kernels.blas import blas_kernels; blas_kernels()\n"
        "print([each['num_threads'] for each in config.blas().info() if each['user_api'] == 'blas'])"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert set(ended.stdout.strip("[]\n").split(", ")) == {"1"}


def test_blas_stays_at_one_thread_until_the_last_of_several_callers_has_left() -> None:
    before = blas_threads()
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with threads.blas_alone():
            entered.set()
            assert leave.wait(10)

    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(hold)
        assert entered.wait(10)
        with threads.blas_alone():
            pass
        assert blas_threads() == {1}
        leave.set()
        held.result()
    assert blas_threads() == before


def test_a_number_of_threads_that_is_set_meanwhile_holds_afterwards() -> None:
    before = config.num_threads()
    config.set_num_threads(3)
    try:
        with threads.blas_alone():
            config.set_num_threads(2)
        assert blas_threads() == {2}
        with threads.blas_alone():
            assert blas_threads() == {1}
        assert blas_threads() == {2}
    finally:
        config.set_num_threads(before)
