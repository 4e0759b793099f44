"""Custom solver rules, by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from fcnlite import solver
from fcnlite.errors import SpecError, TrainingError
from fcnlite.solver import Solver, SolverOptions, Update
from fcnlite.train.options import TrainOptions
from tests.solver.nets import batch, train_net


@dataclass(frozen=True)
class SignOptions(SolverOptions):
    beta: float = 0.5


class SignDescent(Solver):
    """m ← beta · m + (1 − beta) · g;  w ← w − rate · sign(m)"""

    Options = SignOptions
    histories = ("mean",)
    defaults: ClassVar = {"base_lr": 0.01, "momentum": 0.25}

    def update(self, arrays: tuple[np.ndarray, ...], g: Update) -> None:
        w, grad, mean = arrays
        follow = g.scale * grad + g.l2 * w + g.l1 * np.sign(w)
        mean *= self.options.beta
        mean += (1 - self.options.beta) * follow
        w -= np.float32(g.rate) * np.sign(mean)


@pytest.fixture(autouse=True)
def registers() -> Iterator[None]:
    before = dict(solver.TYPES)
    solver.register(SignDescent)
    yield
    solver.TYPES.clear()
    solver.TYPES.update(before)


def test_a_registered_rule_is_created_by_name_and_takes_its_own_options(tmp_path: Path) -> None:
    made = solver.create("SignDescent", train_net(), beta=0.0, base_lr=0.125)
    before = {name: parameter.array.copy() for name, parameter in made.net.learnable()}
    made.step(batch())
    for name, parameter in made.net.learnable():
        moved = 0.125 * parameter.lr_mult * np.sign(parameter.grad)
        np.testing.assert_allclose(parameter.array, before[name] - moved, rtol=1e-6)
    made.snapshot(tmp_path / "x.h5")
    again = solver.create("SignDescent", train_net(), beta=0.0)
    assert again.restore(tmp_path / "x.h5")["type"] == "SignDescent"
    assert again.iteration == 1
    for options, words in (
        ({"bet": 1}, "unknown solver option 'bet'; did you mean 'beta'"),
        ({"beta": "x"}, "beta is 'x'"),
    ):
        with pytest.raises(SpecError, match=words):
            solver.create("SignDescent", train_net(), **options)
    with pytest.raises(SpecError, match="solver type 'signdescent' is not known; did you mean 'SignDescent'"):
        solver.create("signdescent", train_net())


def test_a_solver_prototxt_may_name_it(tmp_path: Path) -> None:
    """Options that the file does not set have the rule's defaults."""
    (tmp_path / "net.prototxt").write_text(
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 } } }'
        'layer { name: "fc" type: "InnerProduct" bottom: "x" top: "fc" inner_product_param { num_output: 2 } }'
        'layer { name: "loss" type: "Reduction" bottom: "fc" top: "loss" loss_weight: 1 }'
    )
    (tmp_path / "solver.prototxt").write_text('net: "net.prototxt" base_lr: 0.5 lr_policy: "fixed" type: "SignDescent"')
    loaded = solver.load(tmp_path / "solver.prototxt")
    assert type(loaded) is SignDescent
    assert (loaded.options.beta, loaded.options.base_lr, loaded.options.momentum) == (0.5, 0.5, 0.25)


def test_the_command_line_s_options_reach_it() -> None:
    made = TrainOptions(solver="SignDescent", solver_option=("beta=0.125",), base_lr=0.5).make_solver(train_net())
    assert (type(made), made.options.beta, made.options.base_lr) == (SignDescent, 0.125, 0.5)
    assert (
        TrainOptions(solver="Adam", solver_option=("momentum2=0.9",)).make_solver(train_net()).options.momentum2 == 0.9
    )
    for entry, words in (
        ("beta", "expected KEY=VALUE"),
        ("bet=1", "SignDescent has no such option; did you mean 'beta'"),
        ("beta=x", "expected a value of type float"),
        ("base_lr=1.0", "the command has an option for it; use --base-lr"),
    ):
        with pytest.raises(TrainingError, match=f"--solver-option {entry}.*{words}"):
            TrainOptions(solver="SignDescent", solver_option=(entry,)).make_solver(train_net())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"histories": "mean"}, "histories is 'mean'; expected a tuple of names"),
        ({"defaults": {"bet": 1.0}}, "its defaults are not valid: unknown solver option 'bet'"),
        ({"defaults": {"base_lr": -1}}, "its defaults are not valid: base_lr is -1"),
        ({"Options": dict}, "Options is .*; expected a dataclass derived from SolverOptions"),
        ({"update": Solver.update}, "lacks the method update"),
    ],
)
def test_a_class_that_lacks_something_is_an_error(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError, match=f"solver Other: {words}"):
        solver.register(type("Other", (SignDescent,), changes))
    assert "Other" not in solver.TYPES


def test_a_taken_name_and_other_classes_are_errors() -> None:
    with pytest.raises(SpecError, match=r"solver SignDescent: is registered already, by tests\.solver"):
        solver.register(SignDescent)
    with pytest.raises(SpecError, match=r"solver Adam: is registered already, by fcnlite\.solver\.rules"):
        solver.register(type("Adam", (SignDescent,), {}))
    with pytest.raises(SpecError, match="solver dict: is not a subclass"):
        solver.register(dict)  # type: ignore[type-var]
