"""The solutions pass, the skeletons and typical wrong solutions fail with a sentence that helps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fcnlite
from fcnlite.exercise.exercise import Outcome, grade
from fcnlite.exercise.loading import load
from fcnlite.exercise.student import Student, WrongError
from fcnlite.exercise.table import EXERCISES, find
from tests.exercise.wrong import WRONG, Wrong


def graded(name: str, text: str, folder: Path) -> list[Outcome]:
    """The outcomes for a file with this text, in this process."""
    path = folder / f"{name}.py"
    path.write_text(text, encoding="utf-8")
    exercise = next(each for each in EXERCISES if each.name == name)
    try:
        return list(grade(exercise, load(path)))
    except WrongError as wrong:
        return [Outcome("the file", str(wrong))]


def problem(outcomes: list[Outcome]) -> str:
    found = [each.problem for each in outcomes if each.problem is not None]
    assert len(found) == 1, "a wrong solution passes"
    return found[0]


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda each: each.name)
def test_the_solution_passes(exercise: object, tmp_path: Path) -> None:
    outcomes = graded(exercise.name, exercise.solution.read_text(), tmp_path)  # type: ignore[attr-defined]
    assert not [str(each) for each in outcomes if not each.passed]


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda each: each.name)
def test_the_skeleton_says_what_is_to_be_written(exercise: object, tmp_path: Path) -> None:
    said = problem(graded(exercise.name, exercise.skeleton, tmp_path))  # type: ignore[attr-defined]
    first = exercise.functions[0]  # type: ignore[attr-defined]
    assert said.startswith(f"{first} is not written yet (line ")


@pytest.mark.parametrize("wrong", WRONG, ids=lambda each: f"{each.exercise}: {each.says}")
def test_a_wrong_solution_fails_with_a_sentence_that_helps(wrong: Wrong, tmp_path: Path) -> None:
    said = problem(graded(wrong.exercise, wrong.text, tmp_path))
    assert wrong.says in said
    assert "Traceback" not in said and "fcnlite/" not in said


def test_numpy_is_as_it_was_after_a_check(tmp_path: Path) -> None:
    """Arrays of np.empty hold NaN only while a student's function runs."""
    before = np.empty, np.empty_like
    text = (
        find("im2col")
        .solution.read_text()
        .replace("    padded =", "    assert np.isnan(np.empty(2)).all()\n    padded =")
    )
    assert all(each.passed for each in graded("im2col", text, tmp_path))
    assert (np.empty, np.empty_like) == before


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("softmax_loss", "lambda loss, dx: ((loss, dx), dx)"),
        ("softmax_loss", "lambda loss, dx: (np.array(loss, object), dx)"),
        ("col2im", "lambda x: [[1], [1, 2]] if x.size == 60 else x"),  # the picture of the check of the transpose
    ],
)
def test_a_result_that_no_check_expects(name: str, change: str, tmp_path: Path) -> None:
    exercise = find(name)
    (function,) = exercise.functions
    text = exercise.solution.read_text() + (
        f"\n_right, _change = {function}, {change}\n"
        f"def {function}(*given):\n"
        "    found = _right(*given)\n"
        "    return _change(*found) if isinstance(found, tuple) else _change(found)\n"
    )
    said = problem(graded(name, text, tmp_path))
    assert said.startswith("The result cannot be compared with the engine's (")
    assert "Return arrays of numbers, or single numbers." in said


@pytest.mark.parametrize("file", ["<stdin>", "<python-input-3>", "<ipython-input-1-0a1b>", "{beside}"])
def test_code_at_a_prompt_and_beside_a_package_is_the_students(file: str) -> None:
    package = Path(fcnlite.__file__).parent
    names: dict[str, Any] = {}
    text = "def im2col(x, kernel_size, stride, pad):\n    return x[5]\n"
    exec(compile(text, file.format(beside=package.with_name(f"{package.name}-work") / "a.py"), "exec"), names)
    said = problem(list(grade(find("im2col"), Student(names))))
    assert said.startswith("im2col raises IndexError: ") and "(line 2" in said
