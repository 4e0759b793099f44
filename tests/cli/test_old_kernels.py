"""Commands whose compiled kernels do not fit the code: none, older ones, and functions of other arguments."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from fcnlite._kernels import confusion, isa
from tests.cli.conftest import Command

WAY_OUT = "compile them again with `make install` in the folder of the project"

WITHOUT = """
import sys
class Finder:
    def find_spec(self, name, path, target=None):
        if name == "{}":
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Finder())
"""
"""A sitecustomize.py of a Python that lacks a module."""


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        (("-m", "fcnlite.train"), "fcnlite._kernels.update"),
        (("-m", "fcnlite", "predict"), "fcnlite._kernels.products.im2col"),
    ],
)
def test_a_kernel_that_was_not_compiled(tmp_path: Path, command: tuple[str, ...], missing: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(WITHOUT.format(missing))
    paths = os.pathsep.join((str(tmp_path), str(Path(__file__).parents[2])))
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": paths}
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: the compiled kernels do not fit this version of fcnlite (No module named ")
    assert WAY_OUT in done.stderr
    assert done.stderr.count("\n") == 1


def unknown_module() -> None:
    __import__("fcnlite._kernels.newer")


def unknown_function() -> None:
    confusion.newer()


def unknown_argument() -> None:
    isa.kernels("fast").softmax_loss(newer=1)


def unfit_array() -> None:
    confusion.count(np.zeros(3, np.complex64), np.zeros(3, np.complex64), np.zeros((2, 2), np.int64), 255)


@pytest.mark.parametrize("fails", [unknown_module, unknown_function, unknown_argument, unfit_array])
def test_kernels_that_are_older_than_the_code(fails: object, command: Command) -> None:
    def main(_: Sequence[str] | None) -> None:
        assert callable(fails)
        fails()

    ended = command(main)
    assert ended.status == 1
    assert WAY_OUT in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize("error", [TypeError("x"), AttributeError("x", obj=ModuleType("numpy")), ImportError("x")])
def test_other_errors_keep_their_traceback(error: Exception, command: Command) -> None:
    def main(_: Sequence[str] | None) -> None:
        raise error

    with pytest.raises(type(error)):
        command(main)


def test_no_instruction_set_was_built(monkeypatch: pytest.MonkeyPatch, command: Command) -> None:
    monkeypatch.setattr(isa, "available", list)
    isa.name.cache_clear()
    try:
        ended = command(lambda _: print(isa.name()))
    finally:
        isa.name.cache_clear()
    assert ended.status == 1
    assert WAY_OUT in ended.err
