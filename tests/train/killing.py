"""Imported by the trainings that `test_kill.py` kills: short reports, and a timer that ends the process in a write.

FCNLITE_TEST_KILL is `WRITE:SECONDS`: the process ends so many seconds after it began that write, counted from 1.
"""

from __future__ import annotations

import os
import secrets
import signal
from pathlib import Path

from fcnlite.files import atomic_write
from fcnlite.train import report, results


def short_report(path: Path, contents: report.Contents) -> None:
    """Write the scores only: drawing takes most of the time of a short run."""
    with atomic_write(path) as temporary:
        temporary.write_text(str(contents.check))


def end_in_write(number: int, seconds: float) -> None:
    """Start a timer when the write begins. Its signal ends the process at once, as SIGKILL does: nothing handles it."""
    begin, begun = secrets.token_hex, [0]

    def counted(length: int) -> str:
        begun[0] += 1
        if begun[0] == number:
            signal.setitimer(signal.ITIMER_REAL, seconds)
        return begin(length)

    secrets.token_hex = counted  # type: ignore[assignment]


report.write = short_report
results.draw = lambda folder, shown, ranks: None  # type: ignore[assignment,return-value]
results.figures = lambda shown, matrix: ""
if moment := os.environ.get("FCNLITE_TEST_KILL"):
    write, _, delay = moment.partition(":")
    end_in_write(int(write), float(delay))
