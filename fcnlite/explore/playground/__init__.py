"""The functions that the playground's page calls, by name; each takes JSON values and arrays, and returns such.

settings   what can be chosen, and the sentences for what cannot
network    the net of the settings
pictures   generated shapes or a folder, and held-out pictures
training   a net, a solver, a loader and measurements
curve      the loss by iteration, in bounded memory
run        a training in a thread, and its newest frame
cases      trainings that do not learn
script     the Python that does the same
"""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fcnlite._cli.imports import import_all
from fcnlite.config import set_num_threads
from fcnlite.errors import DataError, FcnliteError
from fcnlite.explore.playground.cases import CASES, CAUSES, Case, case
from fcnlite.explore.playground.pictures import training_set
from fcnlite.explore.playground.run import Run
from fcnlite.explore.playground.script import script
from fcnlite.explore.playground.settings import CHOICES, RANGES, Settings
from fcnlite.explore.playground.training import Training


class Playground:
    """What is open: the settings, the case, if any, and the run. `folder`: the data set, by default shapes."""

    def __init__(self, folder: str | None) -> None:
        self.folder = folder
        self.case: Case | None = None
        self.run: Run | None = None

    @property
    def open_run(self) -> Run:
        """The run. Raises `DataError` if none is open."""
        if self.run is None:
            raise DataError("no training is open, as the process ended while no page was open; start again.")
        return self.run


def choices(play: Playground) -> dict[str, Any]:
    """The settings that can be chosen, their defaults, and the number of cases with the causes to choose from."""
    if play.folder is not None:
        training_set(play.folder, Settings().size)  # raises the errors of the folder
    return {
        "defaults": Settings().shown,
        "choices": {name: list(values) for name, values in CHOICES.items()},
        "ranges": {name: list(values) for name, values in RANGES.items()},
        "cases": len(CASES),
        "causes": list(CAUSES),
        "folder": play.folder is not None,
    }


def open_settings(play: Playground, values: Mapping[str, Any], fresh: bool = False) -> dict[str, Any]:
    """Open a training of these settings, or keep the one that has them unless `fresh`; returns what does not change.

    `values` may have a `case`, whose settings they change. Raises `DataError` for values that cannot be.
    """
    chosen, settings = check(values)
    if fresh or play.run is None or play.run.training.settings != settings or play.case is not chosen:
        training = Training(settings, play.folder)
        if play.run is not None:
            play.run.close()
        play.case, play.run = chosen, Run(training)
    training = play.open_run.training
    return {
        **training.view(),
        "settings": settings.shown,
        "case": 0 if chosen is None else CASES.index(chosen) + 1,
        "frame": play.open_run.frame(),
    }


def check(values: Mapping[str, Any]) -> tuple[Case | None, Settings]:
    """The case, if `values` has one, and the settings. Raises `DataError` for values that cannot be."""
    if not isinstance(values, Mapping):
        raise DataError("the settings are not names with values; reload the page.")
    rest = dict(values)
    chosen = case(rest.pop("case")) if "case" in rest else None
    return chosen, (chosen.settings if chosen else Settings()).changed(rest)


def start(play: Playground) -> None:
    """Train until `pause`."""
    play.open_run.go(float("inf"))


def pause(play: Playground) -> dict[str, Any]:
    """Pause; returns the frame of the last iteration."""
    return play.open_run.pause()


def step(play: Playground) -> dict[str, Any]:
    """Run one iteration; returns its frame."""
    return play.open_run.step()


def watch(play: Playground) -> dict[str, Any]:
    """The newest frame, after a short wait."""
    return play.open_run.frame()


def hints(play: Playground) -> list[dict[str, str]]:
    """What the doctor finds in the net as it is now."""
    return [asdict(each) for each in play.open_run.findings()]


def answer(play: Playground, cause: str) -> dict[str, Any]:
    """Whether this is the cause of the open case, and if so the settings that mend it."""
    if play.case is None:
        raise DataError("no case is open; choose one.")
    if cause not in CAUSES:
        raise DataError(f"cause is {cause!r}; expected one of the list.")
    right = cause == play.case.cause
    mended = Settings().changed({**play.case.settings.shown, **play.case.mended}).shown
    return {"right": right, "mended": mended if right else None}


def written(play: Playground) -> str:
    """The Python that does the same training."""
    return script(play.open_run.training, play.folder is not None)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "choices": choices,
    "open": open_settings,
    "start": start,
    "pause": pause,
    "step": step,
    "watch": watch,
    "hints": hints,
    "answer": answer,
    "script": written,
}


def functions(
    folder: str | None = None, threads: int | None = None, imports: list[str] | None = None
) -> dict[str, Callable[..., Any]]:
    """The functions on a new playground. The arguments are those of the command."""
    import_all(imports or [])
    if threads is not None:
        set_num_threads(threads)
    made = Playground(folder)
    return {name: functools.partial(_call, made, function) for name, function in _FUNCTIONS.items()}


def _call(play: Playground, function: Callable[..., Any], *values: Any, **named: Any) -> Any:
    """Call a function; its errors, warnings and messages name files within the folder, not where the folder is."""

    def private(text: str) -> str:
        if play.folder is None:
            return text
        for folder in (str(Path(play.folder).resolve()), str(Path(play.folder))):
            text = text.replace(f"{folder}{os.sep}", "").replace(folder, "folder")
        return text

    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            value = function(play, *values, **named)
    except FcnliteError as error:
        raise type(error)(private(str(error))) from error
    for each in told:
        warnings.warn(private(str(each.message)), each.category, stacklevel=2)
    if isinstance(value, dict) and "message" in value:
        value = {**value, "message": private(value["message"])}
    return value
