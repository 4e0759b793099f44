"""Signals that ask a command to stop."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from fcnlite.files import atomic_write
from tests.cli.conftest import Command

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


def writing(target: Path, number: int) -> Callable[[Sequence[str] | None], None]:
    """A command that gets a signal in the middle of writing a file."""

    def main(_: Sequence[str] | None) -> None:
        with atomic_write(target) as temporary:
            temporary.write_text("half")
            os.kill(os.getpid(), number)
            temporary.write_text("whole")

    return main


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_the_status_tells_the_signal_and_no_file_is_left(command: Command, tmp_path: Path, name: str) -> None:
    number = getattr(signal, name)
    before = signal.getsignal(number)
    (tmp_path / "x").write_text("old")
    ended = command(writing(tmp_path / "x", number))
    words = "interrupted" if name == "SIGINT" else f"stopped by {name}"
    assert ended == (128 + number, "", f"{words}; the files written so far are complete.\n")
    assert [each.name for each in tmp_path.iterdir()] == ["x"]
    assert (tmp_path / "x").read_text() == "old"
    assert signal.getsignal(number) is before


def test_ignored_signals_are_ignored(command: Command, tmp_path: Path) -> None:
    """As `nohup` asks for."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert command(writing(tmp_path / "x", signal.SIGHUP)) == (0, "", "")
    finally:
        signal.signal(signal.SIGHUP, before)
    assert (tmp_path / "x").read_text() == "whole"
