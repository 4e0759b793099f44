"""Several processes against one: the checks of mpi_checks.py, run by mpiexec."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mpi4py", reason="mpi4py is not installed: pip install 'fcnlite[mpi]'")


def mpiexec(ranks: int, *command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run `python COMMAND` in so many processes, with the mpiexec beside this Python."""
    launcher = Path(sys.executable).with_name("mpiexec")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    environment.pop("OMP_NUM_THREADS", None)
    started = [str(launcher), "-n", str(ranks), sys.executable, *command]
    return subprocess.run(started, capture_output=True, text=True, cwd=cwd, env=environment, timeout=900)


def problems(ranks: int, *checks: str) -> str:
    """What went wrong in the named checks, by default in all."""
    done = mpiexec(ranks, "-m", "tests.ranks.mpi_checks", *checks, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    assert found
    return "\n".join(f"{name}: {problem}" for name, problem in found.items() if problem)


def test_two_ranks_equal_one() -> None:
    found = problems(2)
    assert not found, found


def test_two_groups_of_two_ranks_equal_one() -> None:
    found = problems(4, "check_groups_of_several_ranks")
    assert not found, found


@pytest.mark.slow
def test_a_training_of_two_ranks_and_its_continuation() -> None:
    found = problems(2, "long_check_of_a_training_and_its_continuation")
    assert not found, found


@pytest.mark.slow
def test_four_ranks_equal_one() -> None:
    found = problems(4)
    assert not found, found
