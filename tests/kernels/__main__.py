"""`python -m tests.kernels COUNT [SEED]`: call the kernels of FCNLITE_ISA COUNT times with wrong arguments.

Each case is a function of the seed and its number. A child process runs them one after the other. When it dies, which
is a failure, the next child goes on after that case.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fcnlite.errors import FcnliteError
from tests.kernels.mutations import Guarded, mutated
from tests.kernels.recording import Call, call_all, functions, recorded

SECONDS = 10
"""After which a call counts as one that hangs."""
REFUSED = ValueError, TypeError, OverflowError, BufferError, MemoryError, FcnliteError


class Outcome(NamedTuple):
    """What became of the cases."""

    counts: Counter[str]
    """Calls by function and by "accepted" or the type of the exception, as `update.sgd: ValueError`."""
    failures: list[str]
    """The cases that ended the process, or raised another exception."""


def run(count: int, seed: int, isa: str = "") -> Outcome:
    """Run `count` cases in child processes, on the instruction set `isa`, else on that of this process."""
    outcome, first = Outcome(Counter(), []), 0
    environment = {**os.environ, **({"FCNLITE_ISA": isa} if isa else {})}
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder, "state")
        while first < count:
            command = [
                sys.executable,
                "-m",
                "tests.kernels.__main__",
                "--child",
                *map(str, (first, count, seed, state)),
            ]
            child = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
            lines = state.read_text().splitlines() if state.exists() else []
            if child.returncode or not lines:
                if not lines:
                    raise RuntimeError(child.stderr)
                number, what = lines[-1].split(" ", 1)
                outcome.failures.append(f"case {number}, {what}: status {child.returncode} {child.stderr[-300:]}")
                first = int(number) + 1
            else:
                counts, failures = json.loads(child.stdout)
                outcome.counts.update(counts)
                outcome.failures.extend(failures)
                first = count
    return outcome


def _cases(first: int, last: int, seed: int, state: Path) -> Outcome:
    """Run cases first … last − 1 in this process. The last line of `state` is the case that is running."""
    calls, all_functions = recorded(call_all), functions()
    names = sorted(all_functions)
    outcome = Outcome(Counter(), [])
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    fd = os.open(state, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for number in range(first, last):
        rng = random.Random(f"{seed} {number}")
        name = names[number % len(names)]
        call, what = mutated(rng.choice(calls[name] or [Call([], {})]), rng)
        guarded = Guarded.of(call, rng)
        os.pwrite(fd, f"{number} {name} with {what}".ljust(2000)[:2000].encode()[:2000], 0)
        signal.alarm(SECONDS)
        try:
            all_functions[name](*guarded.arguments, **guarded.options)
            result = "accepted"
        except REFUSED as error:
            result = type(error).__name__
        except Exception as error:
            result = type(error).__name__
            outcome.failures.append(f"case {number}, {name} with {what}: {error!r}")
        signal.alarm(0)
        outcome.counts[f"{name}: {result if what else result + ', unchanged'}"] += 1
        del guarded
    return outcome


def main(arguments: list[str]) -> int:
    if arguments[0] == "--child":
        first, last, seed = map(int, arguments[1:4])
        with np.errstate(all="ignore"):
            print(json.dumps(_cases(first, last, seed, Path(arguments[4]))))
        return 0
    outcome = run(int(arguments[0]), int(arguments[1]) if len(arguments) > 1 else 0)
    for result in sorted(outcome.counts):
        print(f"{outcome.counts[result]:8,} {result}")
    print(f"{len(outcome.failures)} failures", *outcome.failures, sep="\n")
    return 1 if outcome.failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
