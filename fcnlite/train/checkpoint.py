"""The record of a run in a checkpoint (last.h5), besides net and solver: its options and its progress."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from fcnlite.errors import TrainingError
from fcnlite.formats import storage
from fcnlite.train.options import TrainOptions


@dataclass(frozen=True)
class Best:
    """The best weights so far; iteration 0 before the first validation."""

    iteration: int = 0
    mean_iu: float = -math.inf
    """Minus infinity without a measurement."""


@dataclass
class Progress:
    """The progress of a run. Progress, net and solver together determine the rest of the run."""

    train_size: int
    """The number of samples in the training split; `position` counts in it."""
    position: int = 0
    """The number of samples trained on so far, over all epochs: the position of the loader."""
    log_size: int = 0
    """The size of log.csv at the checkpoint, in bytes; 0 at iteration 0, before the log exists."""
    checks_size: int = 0
    """The size of log.jsonl at the checkpoint, in bytes."""
    best: Best = field(default_factory=Best)
    data: str = ""
    """The digest of the data's fingerprint; empty in checkpoints of versions without fingerprints."""
    ranks: int = 1
    """The number of processes that train together; with another number, sums are rounded differently."""

    def to_json(self) -> dict[str, Any]:
        """The JSON values of all fields; `from_json` reads them back."""
        best = self.best
        mean_iu = best.mean_iu if math.isfinite(best.mean_iu) else None
        return {
            "train_size": self.train_size,
            "position": self.position,
            "log_size": self.log_size,
            "checks_size": self.checks_size,
            "best": {"iteration": best.iteration, "mean_iu": mean_iu},
            "data": self.data,
            "ranks": self.ranks,
        }

    @staticmethod
    def from_json(values: Mapping[str, Any], path: str | os.PathLike[str]) -> Progress:
        """Read what `to_json` returned from the record in the checkpoint `path`.

        Raises `TrainingError`, which names the file, for values that no run records.
        """
        match {"data": "", "ranks": 1, **values}:
            case {
                "iteration": int(iteration),
                "train_size": int(size),
                "position": int(position),
                "log_size": int(log_size),
                "checks_size": int(checks_size),
                "best": {"iteration": int(best), "mean_iu": float() | None as mean_iu},
                "data": str(data),
                "ranks": int(ranks),
            } if (
                1 <= size < 1 << 32
                and 0 <= position < size << 32
                and 0 <= log_size < 1 << 63
                and 0 <= checks_size < 1 << 63
                and 0 <= best <= iteration
                and ranks >= 1
                and (mean_iu is None or (best > 0 and 0 <= mean_iu <= 1))
            ):
                found = Best(best, -math.inf if mean_iu is None else mean_iu)
                return Progress(size, position, log_size, checks_size, found, data, ranks)
        raise TrainingError(
            f"{path}: its record of the run's progress is missing or damaged; start again with "
            f"--overwrite --init {path}, which keeps the weights."
        )


def read_options(path: str | os.PathLike[str], ranks: int = 1) -> TrainOptions:
    """Read the options of the run that wrote the checkpoint `path`, to continue it in so many processes.

    Raises `FileError`, or a `TrainingError` that names the file.
    """
    progress = storage.load(path).progress
    stored = progress.get("options")
    if not isinstance(stored, dict):
        raise TrainingError(f"{path}: is not a checkpoint of a training run; start without --resume.")
    try:
        options = TrainOptions.from_json(stored)
    except TrainingError as error:
        raise TrainingError(f"{path}: {error}") from error
    # With another number of processes, each has another share of the cores.
    return options if progress.get("ranks", 1) == ranks else replace(options, threads=None)
