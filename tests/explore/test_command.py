"""`python -m fcnlite.explore`: what it says when it cannot start, and how it ends."""

from __future__ import annotations

import signal
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="Starlette is not installed (pip install 'fcnlite[explore]')")
pytest.importorskip("uvicorn", reason="uvicorn is not installed (pip install 'fcnlite[explore]')")

from fcnlite._cli.running import run_command
from fcnlite.explore.__main__ import main
from fcnlite.explore.server import bind
from tests.explore.browsing import explorer


def test_a_missing_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(main, ["missing.h5"]) == 1
    assert capsys.readouterr().err == "error: missing.h5: no such file; check the path.\n"


def test_a_net_that_cannot_be_loaded_ends_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "broken.h5").write_bytes(b"no weights")
    assert run_command(main, [str(tmp_path / "broken.h5"), "--no-browser"]) == 1
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.startswith("error: broken.h5: ") and shown.err.count("\n") == 1


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with bind(0) as taken:
        taken.listen()
        assert run_command(main, ["--no-browser", "--port", str(taken.getsockname()[1])]) == 1
    assert "cannot be used" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--port", "65536"], ["--port", "-1"], ["--seconds", "0"], ["--seconds", "soon"]])
def test_bad_options(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        run_command(main, options)
    assert end.value.code == 2 and capsys.readouterr().err.startswith("error: ")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--playground", "rate=high"], "rate is 'high'; expected a number from 0 to 1000."),
        (["--playground", "#case=12"], "case is '12'; expected a number from 1 to 7."),
        (["--playground", "net"], "net is ''; expected lite-32s"),
        (["--folder", "nowhere"], "nowhere: no such folder; check the path."),
    ],
)
def test_a_playground_that_cannot_be(options: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(main, ["--no-browser", *options]) == 1
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.startswith(f"error: {words}") and shown.err.count("\n") == 1


def test_without_starlette_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "fcnlite.explore.running", None)
    assert run_command(main, ["--no-browser"]) == 1
    assert "pip install 'fcnlite[explore]'" in capsys.readouterr().err


def test_it_serves_until_it_is_interrupted() -> None:
    with explorer() as (address, process):
        with urllib.request.urlopen(address) as page:
            assert b"explorer.js" in page.read()
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(address[:-2])
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 0
