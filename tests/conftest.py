"""Fixtures for all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def shared_folder() -> Path:
    """Where the reference cases, real files and data lie: FCNLITE_SHARED, else ../shared."""
    return Path(os.environ.get("FCNLITE_SHARED") or Path(__file__).parents[2] / "shared")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The shared folder; the test is skipped where it is missing."""
    folder = shared_folder()
    if not folder.is_dir():
        pytest.skip(f"no shared test material at {folder} (set FCNLITE_SHARED)")
    return folder
