"""--import MODULE, and command lines that are refused."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fcnlite import __main__, data, evaluate, predict, solver, summary
from fcnlite._cli import imports
from fcnlite._cli.running import Main
from fcnlite.doctor import __main__ as doctor
from fcnlite.layers import registry
from fcnlite.train import __main__ as train
from tests.cli.conftest import Command

LAYER = """
from beside import SCALE
from fcnlite.layers import Layer, register

@register
class Twice(Layer):
    type = "Twice"
    def forward(self, bottom, run):
        return [SCALE * bottom[0]]
    def backward(self, dtop, run):
        return [SCALE * dtop[0]]
"""

NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }
layer { name: "twice" type: "Twice" bottom: "data" top: "twice" }
"""


@pytest.fixture(autouse=True)
def registers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Undo what a test registers or imports."""
    monkeypatch.chdir(tmp_path)
    kept = [(register, dict(register)) for register in (registry._registry, data._DATASETS, solver.TYPES)]
    modules, paths = set(sys.modules), list(sys.path)
    yield
    for register, before in kept:
        register.clear()  # type: ignore[attr-defined]
        register.update(before)  # type: ignore[attr-defined]
    for name in set(sys.modules) - modules:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]
    sys.path[:] = paths
    imports._loaded.clear()


@pytest.fixture
def layer() -> Path:
    Path("beside.py").write_text("SCALE = 2\n")
    Path("net.prototxt").write_text(NET)
    Path("twice.py").write_text(LAYER)
    return Path("twice.py")


@pytest.mark.parametrize("given", [["--import", "twice.py"], ["--import=twice"], ["--import", "./twice.py"] * 2])
def test_a_module_is_imported_before_the_command_begins(command: Command, layer: Path, given: list[str]) -> None:
    ended = command(summary.main, "net.prototxt", *given)
    assert ended.status == 0 and "Twice" in ended.out


def test_without_it_the_error_names_the_option(command: Command, layer: Path) -> None:
    ended = command(summary.main, "net.prototxt")
    assert ended.status == 1 and "'twice': unknown type 'Twice'" in ended.err and "--import MODULE" in ended.err


@pytest.mark.parametrize("name", __main__._COMMANDS)
def test_every_command_has_the_option(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.py").write_text("raise ValueError('here')")
    assert __main__.main([name, "--import", "mine.py", "--help"]) == 1
    mine = Path("mine.py").resolve()
    message = f"error: --import mine.py: fails at {mine}, line 1 (ValueError: here).\n"
    assert capsys.readouterr() == ("", message)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import no_such_module\n", "line 1 (ModuleNotFoundError: No module named 'no_such_module')."),
        ("x = 1\ndef f(:\n", "line 2 (SyntaxError: "),
        ("import sys\nsys.exit(3)\n", "line 2 (SystemExit: 3)."),
        ("def f():\n    return {}['k']\nf()\n", "line 2 (KeyError: 'k')."),
        (
            "from fcnlite.layers import ReLU, register\n",
            "line 1 (ImportError: cannot import name 'ReLU' from 'fcnlite.layers'",
        ),
        (
            "from fcnlite.layers import relu, register\n\nregister(relu.ReLU)\n",
            "line 3 (layer type 'ReLU' is registered already, by fcnlite.layers.relu).",
        ),
    ],
)
def test_an_error_in_a_module_is_one_sentence(command: Command, text: str, words: str) -> None:
    Path("mine.py").write_text(text)
    for name in ("mine.py", "mine"):
        ended = command(summary.main, "vgg16", "--import", name)
        assert ended.status == 1 and ended.err.count("\n") == 1
        assert ended.err.startswith(f"error: --import {name}: fails at {Path('mine.py').resolve()}, ")
        assert words in ended.err


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mine.py", "--import mine.py: no such file"),
        ("no.such.module", "--import no.such.module: there is no module of this name"),
        ("fcnlite.layerz", "--import fcnlite.layerz: there is no module of this name"),
        ("", "--import : there is no module"),
        ("a b", "--import a b: there is no module"),
    ],
)
def test_a_module_that_is_not_there(command: Command, name: str, words: str) -> None:
    ended = command(summary.main, "vgg16", f"--import={name}")
    assert ended.status == 1 and words in ended.err and ended.err.count("\n") == 1


def test_a_file_s_name_may_be_that_of_another_module(command: Command, layer: Path) -> None:
    Path("types.py").write_text(LAYER)
    assert command(summary.main, "net.prototxt", "--import", "types.py").status == 0


# Command lines that are refused


@pytest.mark.parametrize(
    ("main", "arguments", "words"),
    [
        (train.main, ["--lr", "0.1", "--out", "x"], "there is no option --lr; did you mean --base-lr or --lr-policy?"),
        (train.main, ["--lr=0.1"], "there is no option --lr; did you mean --base-lr or --lr-policy?"),
        (train.main, ["--batch", "2", "--out", "x"], "--batch; did you mean --batch-size?"),
        (train.main, ["--no-flp"], "--no-flp; did you mean --no-flip"),
        (train.main, ["--dat", "shapes", "--out", "x"], "--dat; did you mean --data"),
        (evaluate.main, ["x.h5", "--dta", "voc"], "there is no option --dta; did you mean --data"),
        (predict.main, ["x.h5", "x.png", "--thread", "1"], "--thread; did you mean --threads?"),
        (doctor.main, ["net.prototxt", "--solve", "s"], "--solve; did you mean --solver?"),
        (summary.main, ["vgg16", "--xyzzy"], "there is no option --xyzzy; `python -m fcnlite.summary --help` shows"),
        (summary.main, ["vgg16", "-q"], "unrecognized arguments: -q; `python -m fcnlite.summary --help` shows"),
        (summary.main, [], "the following arguments are required: NET"),
    ],
)
def test_unknown_and_abbreviated_options_are_refused(
    command: Command, main: Main, arguments: list[str], words: str
) -> None:
    ended = command(main, *arguments)
    assert (ended.status, ended.out) == (2, "")
    assert words in ended.err and ended.err.startswith("error: ") and ended.err.count("\n") == 1


def test_an_unknown_command_names_the_near_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        __main__.main(["predct", "x.h5"])
    assert end.value.code == 2
    assert capsys.readouterr().err == "error: there is no command 'predct'; did you mean 'predict'?\n"
