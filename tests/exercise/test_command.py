"""`python -m fcnlite.exercise`: start, hint, check and list, and files that do not behave."""

from __future__ import annotations

from pathlib import Path

import pytest

from fcnlite.errors import FileError
from fcnlite.exercise import __main__ as commands
from fcnlite.exercise import process, progress
from fcnlite.exercise.__main__ import main
from fcnlite.exercise.exercise import Exercise, Outcome
from fcnlite.exercise.process import grade_file
from fcnlite.exercise.student import text_of
from fcnlite.exercise.table import EXERCISES, find
from tests.cli.conftest import Command, command

__all__ = ["command"]

IM2COL = find("1")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_start_writes_the_skeleton_and_never_over_a_file(command: Command) -> None:
    ended = command(main, "start", "1", "new/folder")
    assert ended.status == 0 and "check 1 new/folder/im2col.py" in ended.out
    path = Path("new/folder/im2col.py")
    assert path.read_text() == IM2COL.skeleton
    path.write_text("mine")
    again = command(main, "start", "1", "new/folder")
    assert again.status == 1 and "exists already, and is kept" in again.err
    assert path.read_text() == "mine"
    assert sorted(each.name for each in path.parent.iterdir()) == ["im2col.py"]
    Path("link.py").symlink_to("nowhere")
    Path("link.py").rename("col2im.py")
    assert command(main, "start", "col2im").status == 1
    assert not Path("nowhere").exists()


def test_hints_are_printed(command: Command) -> None:
    for place, exercise in enumerate(EXERCISES, start=1):
        assert command(main, "hint", place).out == exercise.hint + "\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("check",), "which exercise?"),
        (("check", "11"), "there is no exercise 11; they are 1 to 10"),
        (("check", "im2cl"), "did you mean 'im2col'"),
        (("check", "1"), "im2col.py: no such file; `start 1` writes one"),
        (("check", "1", "notes.txt"), "notes.txt: expected a Python file"),
        (("check", "1", "binary.py"), "binary.py"),
        (("start", "1", "notes.txt"), "notes.txt: cannot be made"),
        (("list", "nowhere"), "nowhere: is not a folder"),
        (("hint", "1", "more"), "leave it out"),
        (("list", ".", "more"), "leave it out"),
    ],
)
def test_bad_arguments_end_in_a_sentence(command: Command, arguments: tuple[str, ...], says: str) -> None:
    Path("notes.txt").write_text("")
    Path("binary.py").write_bytes(b"\xff\xfe\x00")
    ended = command(main, *arguments)
    assert ended.status == 1
    assert ended.err.startswith("error: ") and ended.err.count("\n") == 1 and says in ended.err


def test_the_next_exercise_starts_in_the_same_folder(command: Command) -> None:
    command(main, "start", "1", "my exercises")
    Path("my exercises/im2col.py").write_text(IM2COL.solution.read_text())
    passed = command(main, "check", "1", "my exercises/im2col.py")
    assert "next: `python -m fcnlite.exercise start 2 'my exercises'`" in passed.out
    assert "check 2 'my exercises/col2im.py'" in command(main, "start", "2", "my exercises").out


def test_checks_are_recorded_and_listed(command: Command) -> None:
    command(main, "start", "1")
    command(main, "start", "7")
    Path("im2col.py").write_text(IM2COL.solution.read_text() + "print('hello')\n")
    passed = command(main, "check", "1")
    assert passed.status == 0
    assert passed.out.count("  ok     ") == len(IM2COL.checks) + 1
    assert "all 9 checks passed; next: `python -m fcnlite.exercise start 2`" in passed.out
    assert "Traceback" not in passed.err

    def states() -> dict[str, str]:
        lines = command(main, "list").out.splitlines()
        return {line.split()[1]: line[54:].strip() for line in lines}

    assert states() == {each.name: "" for each in EXERCISES} | {"im2col": "passed", "sgd": "started"}
    Path("im2col.py").write_text(IM2COL.solution.read_text() + "# later\n")
    assert states()["im2col"] == "passed, then changed"
    Path("im2col.py").write_text("def im2col(x):\n    return x\n")
    failed = command(main, "check", "1", "im2col.py")
    assert failed.status == 1
    assert "as many arguments as in the skeleton" in failed.out and "`python -m fcnlite.exercise hint 1`" in failed.out
    assert failed.out.count("(not tried yet)") == len(IM2COL.checks) - 1
    assert states()["im2col"] == "started"
    Path("progress.json").write_text("damaged")
    assert states()["im2col"] == "started"
    command(main, "start", "1", "mine")
    Path("mine/im2col.py").write_text(IM2COL.solution.read_text())
    assert "exercise start 2 mine`" in command(main, "check", "1", "mine/im2col.py").out


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("import time; time.sleep(1000)", "It does not end within 2 seconds and was stopped"),
        ("import os; os._exit(7)", "It ends Python itself (status 7)"),
    ],
)
def test_what_does_not_return_is_stopped(body: str, says: str) -> None:
    Path("im2col.py").write_text(f"def im2col(x, kernel_size, stride, pad):\n    {body}\n")
    outcomes = list(grade_file(IM2COL, Path("im2col.py"), limit=2))
    assert [each.check for each in outcomes] == [process.READ, *IM2COL.checks]
    assert outcomes[0].passed
    assert says in str(outcomes[1]) and "im2col(x, kernel_size=2, stride=1, pad=0)" in str(outcomes[1])
    assert not any(each.tried for each in outcomes[2:])


def test_a_file_that_ends_python_is_reported() -> None:
    Path("im2col.py").write_text("import sys\nsys.exit(3)\n")
    first, *others = grade_file(IM2COL, Path("im2col.py"))
    assert first.problem == "The file raises SystemExit: 3 (line 2: sys.exit(3))."
    assert not any(each.tried for each in others)


def test_a_folder_that_cannot_be_written_to_does_not_change_the_grade(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise FileError("progress.json: cannot be written.")

    def passing(exercise: Exercise, path: Path) -> list[Outcome]:
        return [Outcome(name) for name in exercise.checks]

    monkeypatch.setattr(progress, "record", refuse)
    monkeypatch.setattr(commands, "grade_file", passing)
    ended = command(main, "check", "1", IM2COL.solution)
    assert (ended.status, ended.err) == (
        0,
        "warning: the progress is not recorded: progress.json: cannot be written.\n",
    )


def test_long_values_are_shortened() -> None:
    import numpy as np

    assert text_of("f", {"x": np.zeros((2, 2)), "n": 3}) == "f(x, n=3)\nx = [[0, 0], [0, 0]]"
    assert "9×9 float64, which begins 0, 0, 0" in text_of("f", {"x": np.zeros((9, 9))})
