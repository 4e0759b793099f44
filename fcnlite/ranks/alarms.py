"""How a rank that failed tells the others, and how all end together."""

from __future__ import annotations

import pickle
import threading
import time
from typing import Any

import numpy as np
from mpi4py import MPI

_TAG = 1
_TEXT = 2000
"""The number of characters of a problem that the ranks tell each other."""
_TELL = 1.0
"""Seconds that a rank that failed waits before it tells: often all ranks meet the same problem."""
_PATIENCE = 10.0
"""Seconds that the others then have to come to their end."""


class Alarms:
    """Messages of failed ranks, on a communicator of their own. Several threads may look for them."""

    def __init__(self, comm: Any) -> None:
        self._comm = comm.Dup()
        self._lock = threading.Lock()
        self._heard: str | None = None
        self._told = np.empty(0, np.uint8)  # lives until it is sent
        self.any = False
        """Whether this rank has told the others that it failed, or another has told this one."""

    def heard(self) -> str | None:
        """The message of another rank that failed, if there is one."""
        status = MPI.Status()
        with self._lock:
            if self._heard is None and self._comm.Iprobe(source=MPI.ANY_SOURCE, tag=_TAG, status=status):
                text = np.empty(status.Get_count(MPI.BYTE), np.uint8)
                self._comm.Recv([text, MPI.BYTE], source=status.Get_source(), tag=_TAG)
                self._heard = text.tobytes().decode(errors="replace")
                self.any = True
            return self._heard

    def leave(self, problem: str | None, status: int) -> list[tuple[str | None, int]] | None:
        """The problem and the exit status of every rank at its end, by rank; None if one does not come to its end.

        A rank with a problem tells the others, whose next wait then ends in a `RankError`, and gives them some seconds.
        """
        ours = pickle.dumps((problem and problem[:_TEXT], status))
        content = np.zeros(4 * _TEXT + 100, np.uint8)
        content[: len(ours)] = np.frombuffer(ours, np.uint8)
        found = np.empty((self._comm.size, content.size), np.uint8)
        request = self._comm.Iallgather(content, found)
        began, told, troubled = time.perf_counter(), False, status != 0
        while not request.Test():
            waited = time.perf_counter() - began
            if problem is not None and not told and waited > _TELL:
                told = True
                self._tell(problem)
            if not troubled and self.heard() is not None:
                began, troubled = time.perf_counter(), True
            elif troubled and waited > _PATIENCE:
                return None
            time.sleep(0.002)
        return [pickle.loads(each.tobytes()) for each in found]

    def abort(self, status: int) -> None:
        """End all ranks at once."""
        MPI.COMM_WORLD.Abort(status)

    def _tell(self, problem: str) -> None:
        self.any = True
        text = f"rank {self._comm.rank} of {self._comm.size} failed: {problem[:_TEXT]}"
        self._told = np.frombuffer(text.encode(), np.uint8)
        for rank in range(self._comm.size):
            if rank != self._comm.rank:
                self._comm.Isend([self._told, MPI.BYTE], dest=rank, tag=_TAG)
