"""The notebooks of the exercises run from their first to their last cell."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.book.pages import DOCS, name_of

NOTEBOOKS = sorted(
    path for path in (DOCS / "exercises" / "notebooks").glob("*") if path.suffix in (".py", ".md", ".ipynb")
)


@pytest.mark.docs
@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_notebook_runs(path: Path, tmp_path: Path) -> None:
    jupytext = pytest.importorskip("jupytext", reason="needs fcnlite[docs]")
    nbclient = pytest.importorskip("nbclient", reason="needs fcnlite[docs]")
    notebook = jupytext.read(path)
    nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    ).execute()
