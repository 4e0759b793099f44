"""Cross-validation: one training for each part of the data that is held out, and the mean of their scores.

A data set says by one of its options what is held out, such as fold=0 (isbi) or hold_out=0001TP (camvid). Each value
has a run of its own, in the folder OUT/OPTION=VALUE. The same command continues what was interrupted: runs that have
ended are judged again, the one that was cut short resumes, the others begin.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fcnlite._cli.stopping import Stopped
from fcnlite.errors import TrainingError
from fcnlite.ranks.communicator import Communicator
from fcnlite.segmentation.figures import FIGURES, label_values
from fcnlite.segmentation.metrics import Metrics, number, text
from fcnlite.text import columns
from fcnlite.train.options import TrainOptions
from fcnlite.train.plan import TrainingPlan
from fcnlite.train.run_folder import RunFolder
from fcnlite.train.training import TrainingResult


@dataclass(frozen=True)
class DataOption:
    """An option of the data set with its value, which holds data out."""

    name: str
    value: str

    def applied(self, options: TrainOptions) -> TrainOptions:
        """The options of a run with this one in place of an earlier value."""
        others = tuple(each for each in options.data_option if each.partition("=")[0] != self.name)
        return replace(options, data_option=(*others, f"{self.name}={self.value}"))


@dataclass(frozen=True)
class HeldOut:
    """A data option, and the values that are held out in turn."""

    option: str
    values: tuple[str, ...]

    @staticmethod
    def parse(entry: str) -> HeldOut:
        """Read OPTION=VALUE,VALUE,…; raises `TrainingError` for fewer than two values, or equal ones."""
        option, _, listed = entry.partition("=")
        values = tuple(each.strip() for each in listed.split(","))
        if not option or len(values) < 2 or not all(values) or len({*values}) < len(values):
            raise TrainingError(
                f"--cross-validate {entry}: expected an option of the data set and at least two different values, such "
                "as fold=0,1,2,3,4 or hold_out=0001TP,0006R0."
            )
        if any(Path(each).name != each for each in values):
            raise TrainingError(f"--cross-validate {entry}: the values name folders, so none may contain a /.")
        return HeldOut(option, values)

    def folder(self, out: Path, value: str) -> Path:
        """The folder of the run that holds out `value`."""
        return out / f"{self.option}={value}"

    def of(self, value: str) -> DataOption:
        """The option with one of the values."""
        return DataOption(self.option, value)


def plan_of(folder: RunFolder, stages: Sequence[TrainOptions], overwrite: bool, ranks: int) -> TrainingPlan:
    """The plan of one run: to resume it if it has begun, else to begin it.

    Raises `TrainingError` for a run that has begun with other options.
    """
    if overwrite or not folder.resumable():
        return TrainingPlan.begin(folder, stages, overwrite)
    plan = TrainingPlan.resume(folder, {"imports": stages[0].imports}, ranks)
    for begun, wanted in zip(plan.options, stages, strict=False):
        differs = [name for name, value in _compared(wanted).items() if _compared(begun)[name] != value]
        if differs or len(plan.options) != len(stages):
            what = f"other options ({', '.join(differs)})" if differs else "another number of stages"
            raise TrainingError(
                f"{folder.path}: holds a run with {what}; replace all runs with --overwrite, or choose another --out."
            )
    return plan


def _compared(options: TrainOptions) -> Mapping[str, Any]:
    """The options that two equal runs have in common: without what is only known when the data have been read."""
    unlike = ("threads", "root", "init", "iterations", "epochs", "check_every")
    known = {name: value for name, value in options.to_json().items() if name not in unlike}
    length = options.epochs if options.epochs is not None else options.iterations
    return {**known, "length": length}


def run_all(
    held: HeldOut, out: Path, train_one: Callable[[str, Path], Sequence[TrainingResult]], ranks: Communicator
) -> list[TrainingResult]:
    """Train and judge all runs, the last stage of each, and print their table."""
    found = []
    for value in held.values:
        folder = held.folder(out, value)
        if ranks.first:
            print(f"{held.option}={value} in {folder}", flush=True)
        try:
            found.append(train_one(value, folder)[-1])
        except KeyboardInterrupt as interrupt:
            stop = Stopped.of(interrupt)
            raise Stopped(stop.number, f"stopped in {folder}; the same command continues.") from None
    if ranks.first:
        print(f"\n{table(held, found)}")
    return found


def table(held: HeldOut, results: Sequence[TrainingResult]) -> str:
    """A line for each run, their mean and standard deviation, and the figures of all their pixels together."""
    names = ("pixel accuracy", "mean IU")
    rows = [[held.option, *names, "best iteration"]]
    scores = []
    for value, each in zip(held.values, results, strict=True):
        metrics = Metrics.from_matrix(each.matrix)
        scores.append((metrics.pixel_accuracy, metrics.mean_iu))
        rows.append([value, *(text(score, 4) for score in scores[-1]), str(each.iteration)])
    rows.append(["mean", *(text(each, 4) for each in np.mean(scores, axis=0)), ""])
    rows.append(["standard deviation", *(text(each, 4) for each in np.std(scores, axis=0, ddof=1)), ""])
    metrics = Metrics.from_matrix(_pooled(results))
    rows.append(["all pixels", text(metrics.pixel_accuracy, 4), text(metrics.mean_iu, 4), ""])
    return columns(rows, "<>>>")


def values(held: HeldOut, results: Sequence[TrainingResult]) -> dict[str, Any]:
    """The figures as JSON values."""
    runs = [{"value": value, **each.values()} for value, each in zip(held.values, results, strict=True)]
    scores = {name: [getattr(Metrics.from_matrix(each.matrix), name) for each in results] for name in FIGURES}
    return {
        "option": held.option,
        "runs": runs,
        "mean": {name: number(float(np.mean(each))) for name, each in scores.items()},
        "standard_deviation": {name: number(float(np.std(each, ddof=1))) for name, each in scores.items()},
        "all_pixels": label_values(results[0].labels, _pooled(results)),
    }


def _pooled(results: Sequence[TrainingResult]) -> np.ndarray:
    """The confusion matrix of all runs together."""
    matrix: np.ndarray = np.sum([each.matrix for each in results], axis=0)
    return matrix
