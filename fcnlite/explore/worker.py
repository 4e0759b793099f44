"""A worker process as the server sees it: calls have limits of time and memory, and a failed process is replaced."""

from __future__ import annotations

import asyncio
import mmap
import multiprocessing
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from fcnlite.explore.messages import pack
from fcnlite.explore.serving import serve

WAITING = 16
"""The most calls that wait for a worker; further ones are refused."""
_CHECKED = 0.1
"""Seconds between two looks at the memory of a process that computes."""


class Worker:
    """A process that runs the functions of `module` (see `serving.serve`), made at the first call.

    `seconds`: the longest that a call may take. `memory`: the most bytes that a net or a picture may ask for, and that
    the process may take. `idle`: the seconds without a call after which the process ends; by default it stays. `again`:
    what the user does after a process was stopped.
    """

    def __init__(
        self,
        module: str,
        settings: Mapping[str, Any],
        seconds: float,
        memory: int,
        *,
        idle: float | None = None,
        again: str = "open the picture again",
    ) -> None:
        self._arguments = module, dict(settings), memory, idle
        self._again = again
        self._seconds = seconds
        self._memory = memory
        self._process: BaseProcess | None = None
        self._connection: Connection | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="fcnlite-explore")
        self._waiting = 0

    async def call(self, request: bytes) -> bytes:
        """The answer to a packed call, as `serving.answer` makes it; calls take turns."""
        if self._waiting >= WAITING:
            return pack({"error": "the explorer has too much to do; wait a moment, then try again."})
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self.exchange, request)
        finally:
            self._waiting -= 1

    def exchange(self, request: bytes) -> bytes:
        """Send a packed call and wait for its answer, which says so if the process fails."""
        connection = self._start()
        try:
            connection.send_bytes(request)
            end = time.monotonic() + self._seconds
            while not connection.poll(_CHECKED):
                if time.monotonic() > end:
                    return self._restarted(f"computation took more than {self._seconds:g} seconds and was stopped")
                if self.resident() > self._memory:
                    return self._restarted("computation needed more memory than --max-memory allows and was stopped")
            return connection.recv_bytes()
        except (EOFError, OSError):
            return self._restarted("process that computes has ended")

    def resident(self) -> int:
        """The memory that the process has now, in bytes; 0 where the system does not tell."""
        try:
            pages = Path(f"/proc/{self._process.pid if self._process else 0}/statm").read_text().split()[1]
            return int(pages) * mmap.PAGESIZE
        except (OSError, IndexError):
            return 0

    @property
    def process(self) -> BaseProcess | None:
        """The process, if it was made."""
        return self._process

    def _start(self) -> Connection:
        if self._process is not None and self._process.is_alive() and self._connection is not None:
            return self._connection
        self._end()
        context = multiprocessing.get_context("spawn")  # a forked process could use one thread only
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, *self._arguments), daemon=True)
        self._process.start()
        theirs.close()
        return self._connection

    def _restarted(self, why: str) -> bytes:
        self._end()
        return pack({"error": f"the {why}; {self._again}.", "restarted": True})

    def _end(self) -> None:
        if self._connection is not None:
            with suppress(OSError):
                self._connection.close()
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self._process = self._connection = None

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()  # a call that is running ends with it
        self._thread.shutdown()
        self._end()
