"""Trainings that are killed again and again, and resumed, end as one that ran through: `make test-kill KILLS=200`."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.train.runs import NET, TINY, assert_readable, assert_same_run, leftovers

REPOSITORY = Path(__file__).parents[2]
KILLING = Path(__file__).with_name("killing.py")
"""A module that the trainings import; it would change this process too."""
KILLS = int(os.environ.get("KILLS", 20))
ITERATIONS = 60
RUN = (
    *TINY, "--iterations", ITERATIONS, "--check-every", 4, "--iter-size", 2, "--loss-sampling", 0.5, "--threads", 1,
    "--import", KILLING,
)  # fmt: skip
WRITES = 3 * ITERATIONS // 4
"""About as many files as such a run writes: best.h5, last.h5 and the report at each check."""
LONGEST_WRITE = 0.01
"""Seconds after the beginning of a write in which the process ends."""
pytestmark = [
    pytest.mark.kill,
    pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL"),
]


def start(arguments: Sequence[object], moment: str = "") -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "fcnlite.train", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "FCNLITE_TEST_KILL": moment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def finish(process: subprocess.Popen[bytes]) -> None:
    _, err = process.communicate(timeout=600)
    assert process.returncode == 0, err.decode()


def log(folder: Path) -> bytes:
    return (folder / "log.csv").read_bytes() if (folder / "log.csv").exists() else b""


def killed(process: subprocess.Popen[bytes], seconds: float | None) -> bool:
    """Whether the process was killed, after so many seconds or by its own timer, before it came to its end."""
    try:
        _, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return True
    assert process.returncode in (0, -signal.SIGALRM), err.decode()
    return process.returncode != 0


def test_killed_runs_end_like_one_that_ran_through(tmp_path: Path) -> None:
    """A run is killed at random moments, and every second time within a write, until it comes to its end.

    Then one of the other model begins.
    """
    chance = random.Random(0)
    (tmp_path / "net.prototxt").write_text(NET)
    options: dict[str, tuple[object, ...]] = {
        "norm": (
            "--model",
            tmp_path / "net.prototxt",
            "--solver",
            "AdamW",
            "--base-lr",
            0.01,
            "--ema",
            0.9,
            "--warmup",
            7,
            "--lr-policy",
            "cosine",
        ),
        "voc": ("--model", "voc-fcn8s", "--base-lr", 0.001),
    }
    durations = {}
    for model, chosen in options.items():
        began = time.monotonic()
        finish(start((*RUN, *chosen, "--out", tmp_path / model)))
        durations[model] = time.monotonic() - began
    counts: Counter[str] = Counter()
    while counts["kills"] < KILLS:
        model = [*options][counts["runs"] % 2]
        counts["runs"] += 1
        out = tmp_path / f"killed{counts['runs']}"
        ended = False
        while not ended and counts["kills"] < KILLS:
            before = log(out)
            resumed = ("--resume", "--import", KILLING)
            begin = resumed if (out / "last.h5").exists() else (*RUN, *options[model], "--overwrite")
            if counts["kills"] % 2:
                moment = f"{chance.randint(1, WRITES // 4)}:{chance.uniform(1e-6, LONGEST_WRITE)}"
                ended = not killed(start((*begin, "--out", out), moment), None)
            else:
                seconds = chance.uniform(0, durations[model] / 2)
                ended = not killed(start((*begin, "--out", out)), seconds)
            if not ended:
                counts["kills"] += 1
                counts["within a write"] += out.exists() and bool(leftovers(out))
                counts["within the training"] += log(out) != before and log(out).count(b"\n") in range(2, ITERATIONS)
                assert_readable(out)
        if not ended:
            finish(start(("--resume", "--import", KILLING, "--out", out)))
        assert_same_run(out, tmp_path / model)
        assert leftovers(out) == set()
        print(dict(counts), flush=True)
    print(f"seconds without a kill: {durations}")
    assert counts["within a write"] >= KILLS / 10
    assert counts["within the training"] >= KILLS / 10
