"""A solver's options in `help` and `inspect.signature`."""

from __future__ import annotations

import inspect
import pydoc
from dataclasses import fields
from typing import ClassVar

import pytest

import fcnlite
from fcnlite.arrays import Array
from fcnlite.net import Net
from fcnlite.solver import SGD, TYPES, Solver, SolverOptions
from fcnlite.solver.base import Update
from fcnlite.solver.options import NEEDS
from tests.solver.nets import train_net


@pytest.mark.parametrize("kind", TYPES.values(), ids=list(TYPES))
def test_help_and_signature_list_the_options(kind: type[Solver]) -> None:
    options = kind(train_net()).options
    net, *parameters = inspect.signature(kind).parameters.values()
    assert net.name == "net" and net.default is inspect.Parameter.empty
    assert {each.name: each.default for each in parameters} == vars(options)
    assert all(each.kind is each.KEYWORD_ONLY for each in parameters)
    documentation = inspect.getdoc(kind) or ""
    for each in fields(SolverOptions):
        assert each.metadata["words"]
        assert f"\n{each.name} = {getattr(options, each.name)!r}: {each.metadata['words'][:20]}" in documentation
    assert documentation.index("w ← w") < documentation.index("Options:")


def test_help_shows_the_defaults_of_the_class() -> None:
    text = pydoc.render_doc(fcnlite.AdaDelta, renderer=pydoc.plaintext)  # type: ignore[attr-defined]
    assert "base_lr: float = 1.0" in text and " |  momentum = 0.95: " in text and " |  delta = 1e-06: " in text
    assert " |  stepvalue = (): in iterations; multistep" in text
    for name, needed in NEEDS.items():
        assert not needed or f"{name} {', '.join(needed)}" in " ".join(text.replace("|", "").split())


def test_help_shows_the_defaults_of_a_custom_rule() -> None:
    class Slow(SGD):
        """SGD, slowly."""

        defaults: ClassVar = {"base_lr": 1e-5}

        def __init__(self, net: Net, warmup: int = 3, iter_size: int = 2, **options: object) -> None:
            super().__init__(net, iter_size=iter_size, **options)

        def update(self, arrays: tuple[Array, ...], g: Update) -> None:
            super().update(arrays, g)

    parameters = inspect.signature(Slow).parameters
    assert list(parameters)[:4] == ["net", "warmup", "iter_size", "base_lr"]
    assert parameters["base_lr"].default == 1e-5 and parameters["iter_size"].default == 2
    assert (inspect.getdoc(Slow) or "").startswith("SGD, slowly.\n\nOptions:\n\nbase_lr = 1e-05: the learning rate")
    assert inspect.signature(SGD).parameters["base_lr"].default == 0.01

    class Closed(SGD):
        def __init__(self, net: Net) -> None:
            super().__init__(net)

    assert list(inspect.signature(Closed).parameters) == ["net"]
