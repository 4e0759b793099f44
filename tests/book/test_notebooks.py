"""The exercises' pages and notebooks: they hold what the command gives, and run from the first to the last cell."""

from __future__ import annotations

import importlib
import os
import re
from pathlib import Path

import pytest

from fcnlite.exercise.exercise import Exercise, grade
from fcnlite.exercise.loading import load
from fcnlite.exercise.table import EXERCISES, number
from tests.book.pages import DOCS

CHINESE = DOCS / "zh" / "exercises"


def code(exercise: Exercise) -> str:
    """The skeleton without its docstring, as on the page."""
    return exercise.skeleton.split('"""\n\n', 1)[1].rstrip()


def blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)\n```$", page.read_text(encoding="utf-8"), re.M | re.S)


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda each: each.name)
def test_a_page_has_the_skeleton_and_the_hint_of_the_command(exercise: Exercise) -> None:
    page = DOCS / "exercises" / f"{exercise.name}.md"
    assert code(exercise) in blocks(page)
    call = f"exercise.check({number(exercise)}, {', '.join(exercise.functions)})"
    assert blocks(page)[-1].endswith(call)
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"# {number(exercise)}. ")
    assert f"<summary>Hint</summary>\n\n{exercise.hint}\n\n</details>" in text
    translated = CHINESE / page.name
    if translated.exists():
        assert code(exercise) in blocks(translated)
        assert blocks(translated)[-1].endswith(call)


@pytest.mark.docs
@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda each: each.name)
def test_a_notebook_runs(exercise: Exercise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the solution in the place of the skeleton; tests/test_docs.py runs the page with the skeleton."""
    pytest.importorskip("jupytext", reason="needs fcnlite[docs]")
    pytest.importorskip("sphinx", reason="needs fcnlite[docs]")
    nbclient = pytest.importorskip("nbclient", reason="needs fcnlite[docs]")
    made = importlib.import_module("docs.book.notebooks").notebook(DOCS / "exercises" / f"{exercise.name}.md", tmp_path)
    (skeleton,) = (cell for cell in made.cells if cell.source.strip() == code(exercise))
    skeleton.source = exercise.solution.read_text(encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(DOCS.parent), prepend=os.pathsep)
    nbclient.NotebookClient(made, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    printed = "".join(each.get("text", "") for cell in made.cells for each in cell.get("outputs", []))
    assert printed.count("  ok     ") == len(exercise.checks) and "wrong" not in printed


@pytest.mark.docs
def test_the_files_that_are_paired_with_notebooks_are_graded(tmp_path: Path) -> None:
    pytest.importorskip("jupytext", reason="needs fcnlite[docs]")
    pytest.importorskip("sphinx", reason="needs fcnlite[docs]")
    notebooks = importlib.import_module("docs.book.notebooks")
    written = notebooks.write(tmp_path)
    assert [path.stem for path in written] == sorted(each.name for each in EXERCISES)
    for exercise in EXERCISES[:2]:
        path = tmp_path / f"{exercise.name}.py"
        path.write_text(path.read_text().replace(code(exercise), exercise.solution.read_text()))
        assert all(each.passed for each in grade(exercise, load(path)))
    answered = path.read_text()
    assert notebooks.write(tmp_path) == []
    assert path.read_text() == answered
