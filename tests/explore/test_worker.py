"""A worker process: calls, and what happens if one takes too long, needs too much memory, or ends the process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from fcnlite.explore.messages import pack, unpack
from fcnlite.explore.worker import WAITING, Worker

MODULE = "tests.explore.slow_functions"


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker(MODULE, {"greeting": "hello"}, seconds=20, memory=1 << 40)
    yield made
    made.close()


def call(worker: Worker, name: str, **arguments: Any) -> Any:
    return unpack(worker.exchange(pack({"name": name, "arguments": arguments})))


def test_calls_and_refusals(worker: Worker, capfd: pytest.CaptureFixture[str]) -> None:
    assert call(worker, "greet") == {"value": "hello", "warnings": []}
    assert call(worker, "half", value=3)["value"] == 1.5
    assert call(worker, "warn")["warnings"] == ["careful"]
    assert call(worker, "refuse") == {"error": "that is wrong; do this instead."}
    assert "reload the page" in call(worker, "no such function")["error"]
    assert "reload the page" in unpack(worker.exchange(b"junk"))["error"]
    process = call(worker, "process")["value"]
    for name in ("fail", "formless"):
        answer = call(worker, name)
        assert "terminal" in answer["error"] and "secret" not in answer["error"]
    assert "secret" in capfd.readouterr().err
    assert call(worker, "process")["value"] == process != os.getpid()


def test_a_worker_that_ends_is_replaced(worker: Worker) -> None:
    first = call(worker, "process")["value"]
    answer = call(worker, "die")
    assert answer["restarted"] and answer["error"].endswith("open the picture again.")
    assert call(worker, "process")["value"] != first
    assert _ended(first)


def test_a_call_that_takes_too_long_is_ended() -> None:
    worker = Worker(MODULE, {"greeting": ""}, seconds=1.5, memory=1 << 40)
    try:
        first = call(worker, "process")["value"]
        answer = call(worker, "sleep", seconds=60)
        assert "took more than 1.5 seconds" in answer["error"] and _ended(first)
    finally:
        worker.close()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system does not tell the memory of a process")
def test_a_call_that_needs_too_much_memory_is_ended(worker: Worker) -> None:
    process = call(worker, "process")["value"]
    worker._memory = worker.resident() + (64 << 20)
    answer = call(worker, "grow")
    assert "more memory than --max-memory allows" in answer["error"] and _ended(process)


def test_calls_take_turns_and_only_so_many_wait(worker: Worker) -> None:
    async def many() -> list[bytes]:
        return await asyncio.gather(
            *(worker.call(pack({"name": "greet", "arguments": {}})) for _ in range(WAITING + 4))
        )

    answers = [unpack(each) for each in asyncio.run(many())]
    assert sum(each.get("value") == "hello" for each in answers) == WAITING
    assert sum("too much to do" in each.get("error", "") for each in answers) == 4


def test_closing_ends_the_process() -> None:
    worker = Worker(MODULE, {"greeting": ""}, seconds=20, memory=1 << 40)
    process = call(worker, "process")["value"]
    worker.close()
    assert _ended(process)


def _ended(process: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(process, 0)
        return False
    return True


def test_a_process_without_calls_ends() -> None:
    idle = Worker(MODULE, {"greeting": "again"}, seconds=20, memory=1 << 40, idle=0.3)
    try:
        first = call(idle, "process")["value"]
        assert idle.process is not None
        idle.process.join(20)
        assert _ended(first)
        assert call(idle, "greet")["value"] == "again"
    finally:
        idle.close()
