"""`python -m fcnlite.exercise`: build parts of the engine yourself, and have them graded."""

from __future__ import annotations

import argparse
import shlex
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from fcnlite._cli.parser import command_parser
from fcnlite._cli.running import check_environment, run_command
from fcnlite.errors import FileError, SpecError
from fcnlite.exercise import progress
from fcnlite.exercise.exercise import Exercise
from fcnlite.exercise.process import grade_file
from fcnlite.exercise.table import EXERCISES, find, number
from fcnlite.files import atomic_write

_DESCRIPTION = """\
Build parts of the engine yourself. `start` writes a file with empty functions, `check` compares them with the
engine and says what is wrong, `hint` helps, and `list` shows how far you are. docs/exercises has the texts.

The exit status of `check` is 0 if everything passed, else 1."""

_EXAMPLES = """\
  python -m fcnlite.exercise list
  python -m fcnlite.exercise start 1 exercises
  python -m fcnlite.exercise check 1 exercises/im2col.py
  python -m fcnlite.exercise hint 1
  python -m fcnlite.exercise list exercises"""


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    check_environment()
    if options.action == "list":
        _list(Path(options.number or "."), options)
        return
    if options.number is None:
        raise SpecError(f"which exercise? Give its number, 1 to {len(EXERCISES)}: {options.action} 1.")
    exercise = find(options.number)
    if options.action == "start":
        _start(exercise, Path(options.path or "."))
    elif options.action == "hint":
        if options.path is not None:
            raise SpecError(f"hint takes only the number, but {options.path!r} follows it; leave it out.")
        print(exercise.hint)
    else:
        _check(exercise, Path(options.path or f"{exercise.name}.py"))


def _list(folder: Path, options: argparse.Namespace) -> None:
    if options.path is not None:
        raise SpecError(f"list takes only a folder, but {options.path!r} follows it; leave it out.")
    if not folder.is_dir():
        raise FileError(f"{folder}: is not a folder; give the one with your exercises.")
    for place, exercise in enumerate(EXERCISES, start=1):
        print(f"{place:3}  {exercise.name:13} {exercise.title:34} {progress.state(exercise, folder)}".rstrip())


def _start(exercise: Exercise, folder: Path) -> None:
    path = folder / f"{exercise.name}.py"
    if path.exists() or path.is_symlink():
        raise FileError(f"{path}: exists already, and is kept; start in another folder, or rename the file.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{folder}: cannot be made ({error.strerror}); choose another folder.") from error
    with atomic_write(path) as temporary:
        temporary.write_text(exercise.skeleton, encoding="utf-8")
    print(f"{path}: write {' and '.join(exercise.functions)}; then")
    print(f"  python -m fcnlite.exercise check {number(exercise)} {shlex.quote(str(path))}")


def _check(exercise: Exercise, path: Path) -> None:
    if not path.exists():
        raise FileError(f"{path}: no such file; `start {number(exercise)}` writes one.")
    print(f"exercise {number(exercise)}, {exercise.title}: {path}", flush=True)
    outcomes = []
    for outcome in grade_file(exercise, path):
        print(outcome, flush=True)
        outcomes.append(outcome)
    passed = all(each.passed for each in outcomes)
    try:
        progress.record(exercise, path, passed)
    except FileError as error:  # the grade is what counts
        warnings.warn(f"the progress is not recorded: {error}", stacklevel=1)
    if not passed:
        print(f"not yet; `python -m fcnlite.exercise hint {number(exercise)}` helps")
        raise SystemExit(1)
    place = number(exercise)
    folder = f" {shlex.quote(str(path.parent))}" if path.parent != Path() else ""
    after = f"; next: `python -m fcnlite.exercise start {place + 1}{folder}`" if place < len(EXERCISES) else ""
    print(f"all {len(outcomes)} checks passed{after}")


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("exercise", _DESCRIPTION, _EXAMPLES)
    parser.add_argument("action", choices=("list", "start", "hint", "check"), help="what to do")
    words = f"the exercise, 1 to {len(EXERCISES)}, or its name; for list, the folder (default: this one)"
    parser.add_argument("number", nargs="?", metavar="N", help=words)
    words = "for check, your file (default: NAME.py); for start, the folder to write into (default: this one)"
    parser.add_argument("path", nargs="?", metavar="PATH", help=words)
    return parser


if __name__ == "__main__":
    sys.exit(run_command(main))
