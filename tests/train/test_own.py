"""A training with a custom data set and solver rule, from the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fcnlite import data, evaluate, solver
from fcnlite._cli import imports
from fcnlite.train import __main__ as train
from fcnlite.train.checkpoint import read_options
from tests.cli.conftest import Command
from tests.train.runs import arrays

MODULE = '''
from dataclasses import dataclass

import numpy as np

from fcnlite import data, solver
from fcnlite.description.spec import Labels


@data.register("halves")
class Halves(data.Dataset):
    """Pictures whose left half is dark."""

    splits = ("train", "val")

    def __init__(self, split: str = "train", count: int = 4, side: int = 32) -> None:
        labels = Labels(("dark", "light"), ((0, 0, 0), (255, 255, 255)))
        super().__init__("halves", split, {"label": labels})
        self.count, self.side = count, side

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> data.Sample:
        label = np.zeros((self.side, self.side), np.uint8)
        label[:, self.side // 2 + index % 3 :] = 1
        image = np.repeat(label[:, :, None] * 200, 3, axis=2)
        return data.Sample({"data": image}, {"label": label}, f"{self.split}-{index}")


@dataclass(frozen=True)
class SignOptions(solver.SolverOptions):
    beta: float = 0.9


@solver.register
class SignDescent(solver.Solver):
    Options = SignOptions
    histories = ("mean",)

    def update(self, arrays, g):
        w, grad, mean = arrays
        mean *= self.options.beta
        mean += (1 - self.options.beta) * (g.scale * grad + g.l2 * w)
        w -= np.float32(g.rate) * np.sign(mean)
'''

USING = (
    *("--import", "mine.py", "--data", "halves", "--data-option", "side=24", "--solver", "SignDescent"),
    *(
        "--solver-option",
        "beta=0.5",
        "--base-lr",
        "0.002",
        "--lr-policy",
        "fixed",
        "--width",
        "0.02",
        "--batch-size",
        "2",
    ),
)


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(MODULE)
    kept = [(register, dict(register)) for register in (data._DATASETS, solver.TYPES)]
    yield
    for register, before in kept:
        register.clear()  # type: ignore[attr-defined]
        register.update(before)  # type: ignore[attr-defined]
    imports._loaded.clear()


def test_a_run_and_its_resumption_and_evaluation(command: Command) -> None:
    whole = command(train.main, *USING, "--iterations", 4, "--check-every", 2, "--out", "whole")
    assert whole.status == 0, whole.err
    options = read_options("whole/last.h5")
    assert (options.imports, options.solver_option) == (("mine.py",), ("beta=0.5",))

    ended = command(train.main, *USING, "--iterations", 2, "--check-every", 2, "--out", "parts")
    assert ended.status == 0, ended.err
    ended = command(train.main, "--resume", "--iterations", 4, "--out", "parts")
    assert ended.status == 1
    assert ended.err == "error: parts: the run began with --import mine.py; give that with --resume too.\n"
    ended = command(train.main, "--resume", "--iterations", 4, "--out", "parts", "--import", "mine.py")
    assert ended.status == 0, ended.err
    whole_arrays, arrays_of_parts = arrays(Path("whole/last.h5")), arrays(Path("parts/last.h5"))
    assert whole_arrays.keys() == arrays_of_parts.keys()
    for name, values in whole_arrays.items():
        np.testing.assert_array_equal(values, arrays_of_parts[name])

    ended = command(evaluate.main, "whole/best.h5", "--data", "halves", "--import", "mine.py")
    assert ended.status == 0 and "dark" in ended.out


def test_help_lists_imported_classes(command: Command) -> None:
    help_text = command(train.main, "--help", "--import", "mine.py").out
    assert "halves: count, side" in " ".join(help_text.split())
