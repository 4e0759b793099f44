"""An experiment: its place in the papers, its claim, and the function that runs it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fcnlite.analysis.paper.page import Page
from fcnlite.data import Dataset
from fcnlite.errors import SpecError


@dataclass(frozen=True)
class Settings:
    """The choices of the user. None means the default of the experiment, which needs no files."""

    train_set: Dataset | None = None
    val_set: Dataset | None = None
    model: str | None = None
    """A net: a model by name, a prototxt, or a weight file of fcnlite."""
    blob: str | None = None
    """A blob of the model."""
    init: str | None = None
    """A file of weights to start from."""
    iterations: int | None = None
    """Training iterations."""
    seed: int = 0


@dataclass(frozen=True)
class Experiment:
    """A row of the table of experiments."""

    name: str
    section: str
    """The section of the papers, such as "3.2" or "PAMI 6.3"."""
    claim: str
    """The claim in one sentence."""
    module: str
    """The module in `fcnlite.analysis.paper` that has `run(settings, page)`, imported when the experiment runs."""
    takes: frozenset[str] = field(default_factory=frozenset)
    """The settings that the experiment uses: data, model, blob, init, iterations."""

    def check(self, given: Mapping[str, object]) -> None:
        """Raise `SpecError` if a setting that is not None is none of those that the experiment uses."""
        unused = [name for name, value in given.items() if value is not None and name not in self.takes]
        if unused:
            usable = ", ".join(f"--{name}" for name in sorted(self.takes)) or "none"
            raise SpecError(f"{self.name} does not use --{unused[0]}; its options: {usable}.")

    def run(self, settings: Settings) -> Page:
        """The page of the experiment. Raises `SpecError` for settings that the experiment does not use."""
        data = settings.train_set or settings.val_set
        self.check({"data": data} | {name: getattr(settings, name) for name in ("model", "blob", "init", "iterations")})
        page = Page(self.name, self.section, self.claim)
        module = importlib.import_module(f"fcnlite.analysis.paper.{self.module}")
        run: Callable[[Settings, Page], None] = module.run
        run(settings, page)
        return page
