"""Fixtures for all tests."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Runs repeat, and a busy machine fails no test for being slow.
settings.register_profile("fcnlite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fcnlite")

# A shell's background jobs ignore Ctrl-C, and so would the processes that the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


def shared_folder() -> Path:
    """The folder of reference cases, real files and data: FCNLITE_SHARED, else ../shared."""
    return Path(os.environ.get("FCNLITE_SHARED") or Path(__file__).parents[2] / "shared")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The shared folder; the test is skipped where it is missing."""
    folder = shared_folder()
    if not folder.is_dir():
        pytest.skip(f"no shared test material at {folder} (set FCNLITE_SHARED)")
    return folder
