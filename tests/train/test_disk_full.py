"""A disk that is full for a while: the run goes on, says so, and loses nothing once there is room."""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path

import pytest

from fcnlite import storage
from fcnlite._cli.running import run_command
from fcnlite.errors import FileError
from fcnlite.train import report
from fcnlite.train.__main__ import main
from fcnlite.train.loop import _Loop
from fcnlite.train.run_folder import RunFolder, TrainingLog
from tests.train.runs import TINY, assert_same_run, leftovers

pytestmark = pytest.mark.usefixtures("no_pictures")

RUN = (*TINY, "--iterations", 6, "--check-every", 2, "--base-lr", 0.01)
NO_ROOM = OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The iterations, counted after them, at whose checkpoints the disk is full."""
    iterations: list[int] = []
    sync, checkpoint, under_way = os.fsync, _Loop._checkpoint, [0]

    def noting(self: _Loop, *arguments: object) -> None:
        under_way[0] = self.run.solver.iteration
        checkpoint(self, *arguments)  # type: ignore[arg-type]

    def failing(descriptor: int) -> None:
        if under_way[0] in iterations:
            raise NO_ROOM
        sync(descriptor)

    monkeypatch.setattr(_Loop, "_checkpoint", noting)
    monkeypatch.setattr(os, "fsync", failing)
    return iterations


def train(*arguments: object) -> int:
    return run_command(main, [str(each) for each in arguments])


def test_a_checkpoint_that_does_not_fit_is_reported_and_the_run_completes(
    tmp_path: Path, full: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    run = (*RUN, "--no-validation")
    assert train(*run, "--out", tmp_path / "whole") == 0
    full += [2, 4]
    assert train(*run, "--out", tmp_path / "full") == 0
    err = capsys.readouterr().err
    for iteration in (2, 4):
        assert f"warning: no checkpoint at iteration {iteration}, the run continues: " in err
    assert err.count("No space left on device") == 2
    assert_same_run(tmp_path / "full", tmp_path / "whole")
    assert leftovers(tmp_path / "full") == set()


def test_the_earlier_checkpoint_stays_and_the_error_names_its_iteration(
    tmp_path: Path, full: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    full += [4, 6]
    assert train(*RUN, "--out", tmp_path / "full") == 1
    err = capsys.readouterr().err
    assert "error: iteration 6 was reached, but not saved: " in err
    assert f"{tmp_path / 'full' / 'last.h5'} is of iteration 2" in err
    assert "Traceback" not in err
    assert storage.load(tmp_path / "full" / "last.h5").progress["iteration"] == 2
    full.clear()
    assert train("--resume", "--out", tmp_path / "full") == 0
    assert train(*RUN, "--out", tmp_path / "whole") == 0
    assert_same_run(tmp_path / "full", tmp_path / "whole")


def test_a_report_that_does_not_fit_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(run: object, check: object) -> None:
        raise FileError("report.html: cannot be written (No space left on device).")

    monkeypatch.setattr(report, "write", refuse)
    assert train(*RUN, "--no-validation", "--out", tmp_path / "run") == 0
    assert capsys.readouterr().err.count("warning: report.html: cannot be written") == 3


def test_rows_of_the_log_wait_for_room_and_none_is_lost_or_cut(tmp_path: Path) -> None:
    """A limit on file sizes simulates a full disk: the row that crosses it is written in part."""
    folder = RunFolder(tmp_path)
    folder.start()
    log = TrainingLog(folder)
    log.write((1, 0.5, 0.1, 2.0, 3.0, float("nan")))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = folder.log.stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 5, limits[1]))
    try:
        log.write((2, 0.25, 0.1, 2.0, 3.0, 0.5))
        log.write((3, 0.125, 0.1, 2.0, 3.0, 0.5))
        with pytest.raises(FileError, match=r"log.csv: cannot be written"):
            log.sync()
        assert folder.log.stat().st_size == size + 5
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert log.sync() == (folder.log.stat().st_size, 0)
    log.close()
    assert folder.read_log()["loss"] == [0.5, 0.25, 0.125]


def test_half_a_line_is_cut_off_when_its_log_is_opened_again(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    speed = {"iterations": 2, "seconds": 1.0, "checking": 0.5, "waited": 0.0}
    log = TrainingLog(folder)
    log.write_speed(speed)
    log.close()
    with folder.speed.open("a") as stream:
        stream.write('{"iterations": 2, "sec')
    log = TrainingLog(folder)
    log.write_speed(speed)
    log.close()
    assert folder.read_speed() == [speed, speed]
