"""Fixtures of the tests of file formats."""

from __future__ import annotations

from pathlib import Path

import pytest

from fcnlite.formats.storage import save
from tests.formats.weight_files import example


@pytest.fixture
def weight_file(tmp_path: Path) -> Path:
    """The example checkpoint as a file."""
    file = tmp_path / "net.h5"
    save(file, example())
    return file
