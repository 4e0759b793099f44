"""Ranks that are processes of MPI."""

from __future__ import annotations

import os
import pickle
import time
from typing import Any

import numpy as np
from mpi4py import MPI

from fcnlite.arrays import Array
from fcnlite.errors import FcnliteError, RankError
from fcnlite.ranks.communicator import Communicator
from fcnlite.threads import shares

TIMEOUT = 7200.0
"""Seconds that a rank waits for the others before it gives up: longer than rank 0 takes to check a large data set."""
_STACKED = 1 << 20
"""Bytes: a smaller array is summed on every rank, a larger one in parts, one on each rank. The result is the same."""
_ALARM = 1
"""The tag of the messages in which a rank says that it failed."""
_TEXT = 2000
"""The number of characters of a problem that the ranks tell each other."""
_TELL = 1.0
"""Seconds that a rank that failed waits before it tells: often all ranks meet the same problem."""
_PATIENCE = 10.0
"""Seconds that the others then have, until it ends them."""
_LOOK = 0.2
"""Seconds between two looks for alarms while a rank waits."""
_LONGEST_PAUSE = 0.001
"""Seconds. A rank that waits looks at growing intervals up to this, so that it leaves the core to other threads."""


class MpiCommunicator(Communicator):
    """A communicator of MPI.

    Its methods raise `RankError` when another rank has failed, or has not answered for `timeout` seconds. MPI must
    allow several threads to call it.
    """

    def __init__(self, comm: Any, alarms: Any = None, timeout: float = TIMEOUT) -> None:
        if MPI.Query_thread() < MPI.THREAD_MULTIPLE:
            raise FcnliteError(
                "this MPI does not let several threads call it (MPI_THREAD_MULTIPLE), which sums need that run beside "
                "backward; install one that does, such as mpich from PyPI."
            )
        self._comm = comm.Dup()
        self._alarms = comm.Dup() if alarms is None else alarms
        self._timeout = timeout
        self.rank, self.size = comm.rank, comm.size
        self.waited = 0.0
        self.alarmed = False
        """Whether this rank has told the others that it failed, or another has told this one."""

    def gather(self, value: Any) -> list[Any]:
        content = np.frombuffer(pickle.dumps(value), np.uint8)
        sizes = self.stack(np.array([content.size]))[:, 0]
        whole = np.empty(sizes.sum(), np.uint8)
        starts = np.cumsum(sizes) - sizes
        self._wait(self._comm.Iallgatherv(content, [whole, sizes, starts, MPI.BYTE]))
        return [pickle.loads(whole[start : start + size].data) for start, size in zip(starts, sizes, strict=True)]

    def stack(self, array: Array) -> Array:
        array = np.ascontiguousarray(array)
        found = np.empty((self.size, *array.shape), array.dtype)
        self._wait(self._comm.Iallgather(array, found))
        return found

    def sum(self, array: Array) -> Array:
        if array.nbytes * self.size > _STACKED:
            total = np.array(array, order="C")
            self.sum_in_place(total)
            return total
        return _in_order(self.stack(array))

    def sum_in_place(self, array: Array) -> None:
        """Each rank gets one part of all arrays, sums it in the order of ranks, and sends the sum to all."""
        self.stack(np.zeros(1))  # a patient wait for the slowest rank: the transfers below keep the core busy
        flat = array.reshape(-1)
        parts = [*shares(flat.size, self.size)]
        parts += [(flat.size, flat.size)] * (self.size - len(parts))
        starts = [start for start, _ in parts]
        counts = [stop - start for start, stop in parts]
        start, count = starts[self.rank], counts[self.rank]
        received = np.empty((self.size, count), flat.dtype)
        kind = MPI._typedict[flat.dtype.char]
        into = [received, [count] * self.size, [count * i for i in range(self.size)], kind]
        self._wait(self._comm.Ialltoallv([flat, counts, starts, kind], into), busy=True)
        flat[start : start + count] = _in_order(received)
        self._wait(self._comm.Iallgatherv(MPI.IN_PLACE, [flat, counts, starts, kind]), busy=True)

    def copy_from_first(self, array: Array) -> None:
        for start, stop in shares(array.size, 1 + array.nbytes // (1 << 28)):
            self._wait(self._comm.Ibcast(array.reshape(-1)[start:stop], root=0), busy=True)

    def split(self, group: int) -> MpiCommunicator:
        return MpiCommunicator(self._comm.Split(group, self.rank), self._alarms, self._timeout)

    def another(self) -> MpiCommunicator:
        return MpiCommunicator(self._comm, self._alarms, self._timeout)

    def leave(self, problem: str | None, status: int) -> list[tuple[str | None, int]] | None:
        """The problem and the exit status of every rank at its end, by rank; None if one does not come to its end.

        A rank with a problem tells the others, whose next wait then ends in a `RankError`, and gives them some seconds.
        """
        ours = pickle.dumps((problem and problem[:_TEXT], status))
        content = np.zeros(4 * _TEXT + 100, np.uint8)
        content[: len(ours)] = np.frombuffer(ours, np.uint8)
        found = np.empty((self._alarms.size, content.size), np.uint8)
        request = self._alarms.Iallgather(content, found)
        began, told, troubled = time.perf_counter(), False, status != 0
        while not request.Test():
            waited = time.perf_counter() - began
            if problem is not None and not told and waited > _TELL:
                told = True
                self._raise_alarm(problem)
            if not troubled and self.heard() is not None:
                began, troubled = time.perf_counter(), True
            elif troubled and waited > _PATIENCE:
                return None
            time.sleep(0.002)
        return [pickle.loads(each.tobytes()) for each in found]

    def _raise_alarm(self, problem: str) -> None:
        self.alarmed = True
        text = f"rank {self._alarms.rank} of {self._alarms.size} failed: {problem[:_TEXT]}".encode()
        for rank in range(self._alarms.size):
            if rank != self._alarms.rank:
                self._alarms.Isend([np.frombuffer(text, np.uint8), MPI.BYTE], dest=rank, tag=_ALARM)

    def heard(self) -> str | None:
        """The message of another rank that failed, if there is one."""
        status = MPI.Status()
        if not self._alarms.Iprobe(source=MPI.ANY_SOURCE, tag=_ALARM, status=status):
            return None
        self.alarmed = True
        text = np.empty(status.Get_count(MPI.BYTE), np.uint8)
        self._alarms.Recv([text, MPI.BYTE], source=status.Get_source(), tag=_ALARM)
        return text.tobytes().decode(errors="replace")

    def abort(self, status: int) -> None:
        """End all ranks at once."""
        MPI.COMM_WORLD.Abort(status)

    def _wait(self, request: Any, busy: bool = False) -> None:
        """Wait until `request` is complete. `busy`: all ranks have come, and data move only while MPI is called."""
        began = looked = time.perf_counter()
        while not request.Test():
            now = time.perf_counter()
            if now - looked > _LOOK:
                looked = now
                if (message := self.heard()) is not None:
                    raise RankError(message, told=True)
            if now - began > self._timeout:
                raise RankError(
                    f"rank {self.rank} of {self.size} has waited {self._timeout:g} seconds for the others; a process "
                    "or its network hangs: start the run again with --resume."
                )
            if busy:
                os.sched_yield()
            else:
                time.sleep(min((now - began) / 8, _LONGEST_PAUSE))
        self.waited += time.perf_counter() - began


def _in_order(parts: Array) -> Array:
    """The sum over the first axis, from first to last."""
    total = parts[0].copy()
    for part in parts[1:]:
        total += part
    return total
