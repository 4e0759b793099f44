"""Trainings killed with SIGKILL at random moments, and resumed, end as one that ran through. `make test-kill`."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.train.runs import TINY, assert_readable, assert_same_run, leftovers

REPOSITORY = Path(__file__).parents[2]
ITERATIONS = 60
RUN = (*TINY, "--iterations", ITERATIONS, "--check-every", 4, "--iter-size", 2, "--base-lr", 0.001)
MODELS = ("lite-fcn8s", "voc-fcn8s")
"""The second one has dropout."""
KILLS = 20

pytestmark = [
    pytest.mark.kill,
    pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL"),
]


def start(arguments: Sequence[object]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "fcnlite.train", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def finish(process: subprocess.Popen[bytes]) -> None:
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err.decode()


def log(folder: Path) -> bytes:
    return (folder / "log.csv").read_bytes() if (folder / "log.csv").exists() else b""


def test_killed_runs_end_like_one_that_ran_through(tmp_path: Path) -> None:
    """A run is killed again and again until it comes to its end; then one of the other model begins."""
    delays = random.Random(0)
    durations = {}
    for model in MODELS:
        began = time.monotonic()
        finish(start((*RUN, "--model", model, "--out", tmp_path / model)))
        durations[model] = time.monotonic() - began
    kills = inside = runs = 0
    while kills < KILLS:
        model = MODELS[runs % 2]
        runs += 1
        out = tmp_path / f"killed{runs}"
        while True:
            resumable, before = (out / "last.h5").exists(), log(out)
            begin = (*RUN, "--model", model, "--overwrite")
            process = start((*(("--resume",) if resumable else begin), "--out", out))
            if kills < KILLS:
                try:
                    process.wait(delays.uniform(0, durations[model]))
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.communicate()
                    kills += 1
                    inside += log(out) != before and log(out).count(b"\n") in range(2, 1 + ITERATIONS)
                    assert_readable(out)
                    continue
            finish(process)
            break
        assert_same_run(out, tmp_path / model)
        assert leftovers(out) == set()
    print(f"{kills} kills, {inside} of them within the training, of {runs} runs; uninterrupted: {durations}")
    assert inside >= 5
