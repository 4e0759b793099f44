"""Grades a file in a process of its own, which is ended if a check takes too long."""

from __future__ import annotations

import io
import multiprocessing
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

from fcnlite.errors import FcnliteError
from fcnlite.exercise.exercise import Exercise, Outcome, grade
from fcnlite.exercise.loading import load
from fcnlite.exercise.student import WrongError
from fcnlite.exercise.table import find

LIMIT = 20.0
"""The seconds that one call of a student's function may take."""
_START = 60.0
"""The seconds that the process may take to begin."""

READ = "the file runs"
"""The first check of every file."""


def grade_file(exercise: Exercise, path: Path, limit: float = LIMIT) -> Iterator[Outcome]:
    """The outcomes for a file, as soon as they are known.

    Raises `FileError` if the file cannot be read.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_grade, args=(exercise.name, path, theirs), daemon=True)
    sys.stdout.flush()  # the student's prints come after ours
    process.start()
    theirs.close()
    names = [READ, *exercise.checks]
    done, call = 0, None
    try:
        while done < len(names):
            if not ours.poll(_START if call is None else limit):
                problem = f"It does not end within {limit:.0f} seconds and was stopped. Look for an endless loop"
                break
            try:
                said = ours.recv()
            except EOFError:
                process.join()
                problem = f"It ends Python itself (status {process.exitcode})"
                break
            if isinstance(said, FcnliteError):
                raise said
            if isinstance(said, str):
                call = said
                continue
            done += 1
            yield said
        else:
            return
        yield Outcome(names[done], f"{problem}.\n{call or 'the file itself'}")
        yield from (Outcome(name, tried=False) for name in names[done + 1 :])
    finally:
        process.kill()
        process.join()
        ours.close()


def _grade(name: str, path: Path, to: Connection) -> None:
    """Send the text of each call before it begins, and each outcome."""
    exercise = find(name)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # what the student prints comes before the outcome
    try:
        student = load(path, to.send)
    except WrongError as wrong:
        to.send(Outcome(READ, str(wrong)))
        for check in exercise.checks:
            to.send(Outcome(check, tried=False))
        return
    except FcnliteError as error:
        to.send(error)
        return
    to.send(Outcome(READ))
    for outcome in grade(exercise, student):
        to.send(outcome)
