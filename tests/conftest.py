"""Fixtures for all tests."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# Two workers with two threads each share two cores: a thread that waits must not spin long. The library of threads
# reads this when it is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

# Runs repeat, and a busy machine fails no test for being slow.
settings.register_profile("fcnlite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fcnlite")

# A shell's background jobs ignore Ctrl-C, and so would the processes that the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


def shared_folder() -> Path:
    """The folder of reference cases, real files and data: FCNLITE_SHARED, else ../shared."""
    return Path(os.environ.get("FCNLITE_SHARED") or Path(__file__).parents[2] / "shared")


FULL_OF_TRAININGS = ("cli", "data", "train")
EMPTY_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c636000000002000148afa471"
    "0000000049454e44ae426082"
)


def _save_nothing(figure: object, target: Any, *, format: str, **options: object) -> None:
    if format == "svg":
        target.write("<svg></svg>")
    else:
        Path(target).write_bytes(EMPTY_PNG)


@pytest.fixture(autouse=True)
def _no_drawing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """In `FULL_OF_TRAININGS`, figures stay empty but for the mark `drawn`: drawing takes most of a short training."""
    if request.path.parent.name in FULL_OF_TRAININGS and request.node.get_closest_marker("drawn") is None:
        monkeypatch.setattr("matplotlib.figure.Figure.savefig", _save_nothing)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The shared folder; the test is skipped where it is missing."""
    folder = shared_folder()
    if not folder.is_dir():
        pytest.skip(f"no shared test material at {folder} (set FCNLITE_SHARED)")
    return folder
