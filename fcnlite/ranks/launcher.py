"""The ranks that a launcher, such as mpiexec or srun, started, and how they begin and end."""

from __future__ import annotations

import functools
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from fcnlite import config
from fcnlite.errors import FcnliteError
from fcnlite.ranks.communicator import ALONE, Communicator

_SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")
"""The environment variables in which MPICH and its kin, Open MPI, MVAPICH and srun tell the number of processes."""
_RANKS = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK", "SLURM_PROCID")
_LAST_WORDS = 2.0
"""Seconds in which rank 0 shows the problems before another rank may end all."""


def started() -> int:
    """The number of processes that the launcher started, from the environment; 1 without a launcher."""
    return max((int(text) for name in _SIZES if (text := os.environ.get(name, "")).isdecimal()), default=1)


@functools.cache
def world() -> Communicator:
    """The ranks of this run; `ALONE` without a launcher, and then MPI is not imported.

    Shares out the cores of each host among its ranks, unless OMP_NUM_THREADS is set. Raises `FcnliteError` if a
    launcher started several processes and they cannot talk to each other: each would do the whole work.
    """
    count = started()
    if count == 1:
        return ALONE
    try:
        from fcnlite.ranks.mpi import MPI, MpiCommunicator
    except ImportError as error:
        _let_first_speak()
        raise FcnliteError(
            f"{count} processes were started, but each would work alone, because mpi4py cannot be imported ({error}); "
            "install it (pip install 'fcnlite[mpi]'), or start one process, without mpiexec or srun."
        ) from error
    if MPI.COMM_WORLD.size != count:
        _let_first_speak()
        raise FcnliteError(
            f"{count} processes were started, but the MPI of mpi4py sees {MPI.COMM_WORLD.size}, because the launcher "
            "belongs to another MPI; use the mpiexec of that MPI (of `pip install 'fcnlite[mpi]'`: the one beside "
            "python), or srun with the right --mpi."
        )
    ranks = MpiCommunicator(MPI.COMM_WORLD)
    if not os.environ.get("OMP_NUM_THREADS", "").strip():
        hosts = ranks.gather((MPI.Get_processor_name(), tuple(sorted(_cores()))))
        config.set_num_threads(threads_of(hosts, ranks.rank))
    return ranks


def _cores() -> Sequence[int]:
    if hasattr(os, "sched_getaffinity"):
        return [*os.sched_getaffinity(0)]
    return range(os.cpu_count() or 1)


def threads_of(hosts: Sequence[tuple[str, Sequence[int]]], rank: int) -> int:
    """The number of threads of a rank: its cores, shared out among the ranks that have the same ones, at least 1.

    `hosts`: the host and the cores of each rank. A launcher may have bound ranks to different cores.
    """
    return max(1, len(hosts[rank][1]) // sum(each == hosts[rank] for each in hosts))


def settle(problem: str | None, status: int) -> int:
    """End the ranks together, with one exit status, and show each different problem once.

    `problem`: what this rank tells the user; None if it succeeded, or if it failed only because another did.
    """
    try:
        ranks = world()
    except FcnliteError:
        print(problem, file=sys.stderr)
        return status
    from fcnlite.ranks.mpi import MpiCommunicator

    assert isinstance(ranks, MpiCommunicator)
    ends = ranks.leave(problem, status)
    if ends is None and problem is not None:
        _show(f"rank {ranks.rank} of {ranks.size}: {problem}")
    if ends is not None and ranks.first:
        for line in in_words([each for each, _ in ends]):
            _show(line)
    if ends is not None and len({each for _, each in ends}) == 1 and not ranks.alarmed:
        return status
    # The ranks stopped at different places: MPI would wait for messages that nobody sends.
    if ends is not None and not ranks.first:
        time.sleep(_LAST_WORDS)
    ranks.abort(max((each for _, each in ends or ()), default=status or 1))
    return status


def in_words(problems: Sequence[str | None]) -> list[str]:
    """The lines that tell what went wrong, from what each rank tells: one line for each different problem."""
    lines: dict[str, list[int]] = {}
    for rank, each in enumerate(problems):
        if each is not None:
            lines.setdefault(each, []).append(rank)
    if len(lines) == 1 and None not in problems:
        return [*lines]
    return [f"rank {ranks[0]} of {len(problems)}: {problem}" for problem, ranks in lines.items()]


def _let_first_speak() -> None:
    """Wait a moment on all processes but the first, and hide what they print, so that a common error shows once."""
    if next((os.environ[name] for name in _RANKS if name in os.environ), "0") != "0":
        time.sleep(_LAST_WORDS)
        silence()


def silence() -> None:
    """Hide what this process prints from now on, except the message with which it ends all ranks."""
    sys.stdout = sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 (open as long as the process)


def _show(line: str) -> None:
    print(line, file=sys.__stderr__, flush=True)
