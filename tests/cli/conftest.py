"""Calling commands in this process, as the command line does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from fcnlite._cli.running import Main, run_command
from fcnlite.train import report, results
from tests.color_net import color_net


class Ended(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str


Command = Callable[..., Ended]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """`command(main, *arguments)` runs a command; arguments may be paths."""

    def run(main: Main, *arguments: object) -> Ended:
        try:
            status = run_command(main, [str(argument) for argument in arguments])
        except SystemExit as end:  # argparse: --help, or a command line that it refuses
            status = int(end.code or 0)
        return Ended(status, *capsys.readouterr())

    return run


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """The report and the pictures of a run are drawn from what is there and take most of a short run's time."""
    monkeypatch.setattr(report, "write", lambda run, check: None)
    monkeypatch.setattr(results, "draw", lambda folder, dataset: None)
    monkeypatch.setattr(results, "figures", lambda dataset, matrix: "")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A weight file of the net that knows red, green and blue."""
    color_net().save(tmp_path / "color.h5")
    return tmp_path / "color.h5"
