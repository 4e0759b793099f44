"""Signals that ask a command to stop."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from fcnlite import plots, predict
from fcnlite.files import atomic_write
from fcnlite.segmentation.outputs import results
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


AT_NUMPY = """
import os, signal, sys
class Finder:
    def find_spec(self, name, path, target=None):
        if name == "numpy":
            {}
sys.meta_path.insert(0, Finder())
"""
"""A sitecustomize.py that does something where numpy is imported."""


@pytest.mark.parametrize(
    ("command", "silent"),
    [
        (("-m", "fcnlite.doctor"), True),  # its package imports numpy, before the command itself
        (("-m", "fcnlite.train", "--help"), True),
        (("-mfcnlite", "summary"), True),
        (("fcnlite", "summary"), True),
        (("-c", "import fcnlite.predict"), False),
        (("other.py",), False),
    ],
)
def test_ctrl_c_while_a_command_is_imported(tmp_path: Path, command: tuple[str, ...], silent: bool) -> None:
    """The status is that of the signal, and no traceback is shown; other programs keep their handler."""
    done = start(tmp_path, command, "os.kill(os.getpid(), signal.SIGINT)")
    if silent:
        assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")
    else:
        assert "KeyboardInterrupt" in done.stderr


def test_a_lack_of_memory_while_a_command_is_imported(tmp_path: Path) -> None:
    lacking = "raise ImportError('libx.so: failed to map segment from shared object')"
    done = start(tmp_path, ("-m", "fcnlite.predict", "--help"), lacking)
    words = "error: there is not enough memory to start; raise the limit on memory.\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", words)
    done = start(tmp_path, ("-m", "fcnlite.predict", "--help"), "raise ImportError('something else')")
    assert done.stderr.endswith("ImportError: something else\n")


def start(folder: Path, command: tuple[str, ...], at_numpy: str) -> subprocess.CompletedProcess[str]:
    """Run Python with `command` in `folder`, which gets a script `fcnlite`, as pip makes it, and another."""
    (folder / "sitecustomize.py").write_text(AT_NUMPY.format(at_numpy))
    (folder / "fcnlite").write_text("from fcnlite.__main__ import main\nmain()\n")
    (folder / "other.py").write_text("import fcnlite.predict\n")
    paths = os.pathsep.join((str(folder), str(Path(__file__).parents[2])))
    environment = {**os.environ, "PYTHONPATH": paths}
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, cwd=folder, env=environment)


def test_predict_continues_to_the_same_results(
    tmp_path: Path, weights: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signal comes while one picture of twelve is being written and others are computed."""
    for seed in range(12):
        noise = np.random.default_rng(seed).integers(0, 256, (30, 40, 3), dtype=np.uint8)
        (tmp_path / "in").mkdir(exist_ok=True)
        Image.fromarray(noise).save(tmp_path / "in" / f"{seed}.png")
    out, table = tmp_path / "out", tmp_path / "t.csv"
    words = (weights, tmp_path / "in", "-o", out, "--table", table, "--workers", 2)
    assert command(predict.main, *words).status == 0
    whole = {path: path.read_bytes() for path in (*out.iterdir(), table)}
    shutil.rmtree(out)
    table.unlink()

    def save(path: Path, picture: Image.Image) -> None:
        if path.name == "2.png":
            os.kill(os.getpid(), signal.SIGTERM)
        plots.save_png(path, picture)

    with monkeypatch.context() as patch:
        patch.setattr(results, "plots", SimpleNamespace(**{**vars(plots), "save_png": save}))
        ended = command(predict.main, *words)
    assert ended.status == 143
    words_told = "stopped by SIGTERM; the files written so far are complete. The same command with --skip-done"
    assert words_told in ended.err
    written = {path: path.read_bytes() for path in out.iterdir()}
    assert written.items() < whole.items() and out / "2.png" in written and not table.exists()
    ended = command(predict.main, *words, "--skip-done")
    assert ended.status == 0, ended.err
    assert {path: path.read_bytes() for path in (*out.iterdir(), table)} == whole
