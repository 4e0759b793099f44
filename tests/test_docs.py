"""What README.md and docs/*.md show runs, as it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import scenery
from tests.documents import DOCUMENTS, ROOT, blocks, runner


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_document_shows_runs(document: Path, tmp_path: Path) -> None:
    shown = [each for each in blocks(document) if each.language]
    assert {each.language for each in shown} <= {"sh", "python"}
    if not shown:
        return
    made: set[int] = set()
    with runner(tmp_path) as run:
        for block in shown:
            scenery.prepare(document.name, block.code, tmp_path, made)
            wrong = run(block)
            assert not wrong, f"{document.relative_to(ROOT)}:\n{block.code}\n{wrong}"
