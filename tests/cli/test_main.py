"""`fcnlite COMMAND`, and the behaviour that all commands share."""

from __future__ import annotations

import runpy
import subprocess
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import pytest

import fcnlite
from fcnlite import __main__
from fcnlite._cli.parser import add_threads, command_parser
from fcnlite.data.label_files import read_label
from fcnlite.data.pictures import read_image
from fcnlite.errors import DataError
from tests.cli.conftest import Command

HOME = str(Path(__main__.__file__).parents[1])


def shell(line: str) -> subprocess.CompletedProcess[str]:
    """A command line with `fcnlite` in it, run by bash; its status is that of the first part of a pipe."""
    line = line.replace("fcnlite", f"{sys.executable} -m fcnlite", 1)
    return subprocess.run(
        ["bash", "-c", f'{line}; exit "${{PIPESTATUS[0]}}"'],
        env={"PYTHONPATH": HOME, "PATH": "/usr/bin:/bin", "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def test_the_version_and_the_commands_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    for option, words in (
        ("--version", [f"fcnlite {fcnlite.__version__}\n"]),
        ("--help", list(__main__._COMMANDS)),
    ):
        with pytest.raises(SystemExit) as end:
            __main__.main([option])
        assert end.value.code == 0
        out = capsys.readouterr().out
        assert all(word in out for word in words)


@pytest.mark.parametrize("arguments", [[], ["predct"], ["--nothing"]])
def test_unknown_commands_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        __main__.main(arguments)
    assert end.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_a_command_gets_the_other_arguments(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["summary", str(weights)]) == 0
    assert "classify" in capsys.readouterr().out
    assert __main__.main(["summary", "missing.h5"]) == 1
    assert capsys.readouterr().err == "error: missing.h5: no such file; check the path.\n"


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
@pytest.mark.parametrize(
    "name", ["train", "predict", "evaluate", "convert", "summary", "doctor", "explore", "exercise"]
)
def test_a_command_runs_by_its_name_and_as_a_module(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit) as end:
        __main__.main([name, "--help"])
    assert end.value.code == 0
    shown = capsys.readouterr().out
    assert f"examples:\n  python -m fcnlite.{name} " in shown
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit) as end:
        runpy.run_module(f"fcnlite.{name}", run_name="__main__")
    assert end.value.code == 0
    assert capsys.readouterr().out == shown


def test_errors_warnings_and_interruption_are_one_line_each(command: Command) -> None:
    def bad(_: Sequence[str] | None) -> None:
        for number in (1, 2):  # from two places, as training and validation pictures may cause it
            warnings.warn("take care.", stacklevel=number)
        raise DataError("this is wrong.")

    def interrupted(_: Sequence[str] | None) -> None:
        raise KeyboardInterrupt

    shown = warnings.showwarning
    assert command(bad) == (1, "", "warning: take care.\nerror: this is wrong.\n")
    assert command(interrupted) == (130, "", "interrupted; the files written so far are complete.\n")
    assert warnings.showwarning is shown


def test_a_defect_is_not_hidden(command: Command) -> None:
    def defective(_: Sequence[str] | None) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        command(defective)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "x", ""])
def test_counts_are_at_least_one(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = command_parser("test", "", "")
    add_threads(parser)
    with pytest.raises(SystemExit):
        parser.parse_args([f"--threads={text}"])
    assert f"{text!r} is not a whole number of at least 1" in capsys.readouterr().err


def test_a_bad_instruction_set_ends_a_command_before_it_begins() -> None:
    """Even a command that computes nothing; --version and --help still work."""
    ended = shell("FCNLITE_ISA=v9 fcnlite summary vgg16")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("error: FCNLITE_ISA is 'v9'; this machine has ") and ended.stderr.count("\n") == 1
    for others in ("--version", "summary --help"):
        assert shell(f"FCNLITE_ISA=v9 fcnlite {others}").returncode == 0


def test_more_threads_than_any_machine_has_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    parser = command_parser("test", "", "")
    add_threads(parser)
    assert parser.parse_args(["--threads=1024"]).threads == 1024
    with pytest.raises(SystemExit):
        parser.parse_args(["--threads=1025"])
    assert "'1025' is more than 1024" in capsys.readouterr().err


def test_a_bad_number_of_threads_ends_a_command_before_it_begins() -> None:
    """Unless --threads gives the number."""
    assert "OMP_NUM_THREADS is" not in shell("OMP_NUM_THREADS=none fcnlite predict --threads 1 no.h5 no.png").stderr
    ended = shell("OMP_NUM_THREADS=none fcnlite summary vgg16")
    assert (ended.returncode, ended.stdout) == (1, "")
    ours = ended.stderr.splitlines()[-1]  # the OpenMP library may have written a line before
    assert ours.startswith("error: OMP_NUM_THREADS is 'none'; expected ") and "Traceback" not in ended.stderr


def test_a_closed_pipe_ends_the_command_quietly() -> None:
    ended = shell("fcnlite summary vgg16 | true")
    assert (ended.returncode, ended.stderr) == (1, "")


def test_a_name_that_is_too_long_is_an_error() -> None:
    ended = shell(f"fcnlite summary {'x' * 300}")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"error: {'x' * 300}: cannot be used as a file (File name too long).\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_standard_output_on_a_full_disk_is_an_error() -> None:
    ended = shell("fcnlite summary vgg16 > /dev/full")
    assert ended.returncode == 1
    assert ended.stderr == "error: standard output cannot be written (No space left on device).\n"


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_do_no_harm(weights: Path, tmp_path: Path, closed: str) -> None:
    """No file that the command opens takes the place of a stream."""
    picture = Path("examples/shapes.png").absolute()
    ended = shell(f"fcnlite predict {weights.absolute()} {picture} --out {tmp_path}/out {closed}")
    assert (ended.returncode, ended.stderr.count("Traceback")) == (0, 0)
    assert read_label(tmp_path / "out" / "shapes.png").shape == read_image(picture).shape[:2]


def test_an_error_needs_no_standard_error() -> None:
    assert shell("fcnlite summary no.h5 2>&-").returncode == 1
    assert shell("fcnlite --version >&-").returncode == 0
    assert shell("fcnlite sumary 2>&-").returncode == 2
