"""What happens around a training: files that vanish, folders closed to writing, data that fail, clocks that jump."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from fcnlite._cli.running import run_command
from fcnlite.data.shapes import Shapes
from fcnlite.train.__main__ import main
from fcnlite.train.loop import _Loop
from fcnlite.train.run_folder import RunFolder, TrainingLog
from tests.train.runs import NET, TINY, assert_same_run

pytestmark = pytest.mark.usefixtures("no_pictures")

RUN = (*TINY, "--iterations", 4, "--check-every", 2, "--no-validation", "--base-lr", 0.01)


@pytest.fixture
def net(tmp_path: Path) -> Path:
    (tmp_path / "net.prototxt").write_text(NET)
    return tmp_path / "net.prototxt"


def train(*arguments: object) -> int:
    return run_command(main, [str(each) for each in arguments])


def test_a_log_that_is_removed_or_replaced_is_written_again(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.start()
    log = TrainingLog(folder)
    nan = float("nan")
    log.write((1, 0.5, 0.1, 2.0, 3.0, nan))
    folder.log.unlink()
    log.write((2, 0.25, 0.1, 2.0, 3.0, nan))
    assert log.sync() == (folder.log.stat().st_size, 0)
    (tmp_path / "other").write_text("something else\n")
    (tmp_path / "other").replace(folder.log)
    log.write((3, 0.125, 0.1, 2.0, 3.0, nan))
    assert log.sync() == (folder.log.stat().st_size, 0)
    log.write((4, 0.0625, 0.1, 2.0, 3.0, nan))
    log.close()
    assert folder.read_log()["loss"] == [0.5, 0.25, 0.125, 0.0625]


def test_a_folder_that_is_removed_is_told_at_the_end(
    net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out, check = tmp_path / "run", _Loop._check

    def removing(self: _Loop, *arguments: object) -> object:
        out.exists() and out.rename(tmp_path / "moved")
        return check(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(_Loop, "_check", removing)
    assert train(*RUN, "--model", net, "--out", out) == 1
    err = capsys.readouterr().err
    assert "error: iteration 4 was reached, but not saved: " in err
    assert "(No such file or directory); make its folder first" in err
    assert err.endswith(f"{out / 'last.h5'} was removed; start again.\n")


def test_a_resumed_run_needs_a_folder_that_can_be_written_to(
    net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(*RUN, "--model", net, "--out", tmp_path / "run") == 0
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK and access(path, mode))
    assert train("--resume", "--iterations", 6, "--out", tmp_path / "run") == 1
    assert f"error: {tmp_path / 'run'}: no files can be made in this folder; get the permission" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (SystemExit(3), "cannot be loaded (SystemExit: 3)"),
        (MemoryError(), "there is not enough memory to load it"),
        (RuntimeError("broken"), "cannot be loaded (RuntimeError: broken)"),
    ],
)
def test_a_loader_that_fails_ends_the_run_and_names_the_sample(
    net: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    failure: BaseException,
    words: str,
) -> None:
    read, count = Shapes.__getitem__, [0]

    def failing(self: Shapes, index: int) -> object:
        count[0] += threading.current_thread().name.startswith("fcnlite-loader")
        if count[0] > 20:
            raise failure
        return read(self, index)

    monkeypatch.setattr(Shapes, "__getitem__", failing)
    assert train(*RUN, "--iterations", 40, "--model", net, "--out", tmp_path / "run") == 1
    err = capsys.readouterr().err
    assert words in err and "data set 'shapes' (train), sample " in err
    assert "last.h5 holds the last good checkpoint" in err
    assert "Traceback" not in err


def test_clocks_that_jump_change_no_result(net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert train(*RUN, "--model", net, "--out", tmp_path / "run") == 0
    clocks = {name: getattr(time, name) for name in ("time", "perf_counter", "monotonic")}
    calls = [0]

    def jumping(name: str) -> float:
        calls[0] += 1
        return float(clocks[name]()) + (-1) ** calls[0] * 1e7

    for name in ("time", "perf_counter"):
        monkeypatch.setattr(time, name, lambda name=name: jumping(name))
    assert train(*RUN, "--model", net, "--out", tmp_path / "jumping") == 0
    assert calls[0] > 10
    assert_same_run(tmp_path / "run", tmp_path / "jumping")
