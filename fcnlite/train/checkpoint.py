"""What a checkpoint (last.h5) tells of a run beside the net and the solver."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fcnlite.errors import TrainingError
from fcnlite.train.options import TrainOptions


@dataclass(frozen=True)
class Best:
    """The best weights so far; iteration 0 while there are none."""

    iteration: int = 0
    mean_iu: float = -math.inf
    """Minus infinity where nothing was measured."""


@dataclass
class Standing:
    """How far a run has come. Together with the net and the solver it decides all that follows."""

    train_size: int
    """Samples of the training split, in which `position` counts."""
    position: int = 0
    """Samples that were trained on: the loader's place in the endless row of epochs."""
    log_size: int = 0
    """Bytes of log.csv at the checkpoint; 0 at iteration 0, before there is a log."""
    checks_size: int = 0
    """Bytes of log.jsonl at the checkpoint."""
    best: Best = field(default_factory=Best)
    data: str = ""
    """The digest of the fingerprint of its data; empty in checkpoints of versions that took none."""

    def plain(self) -> dict[str, Any]:
        """As JSON values; `read` reads them back."""
        best = self.best
        mean_iu = best.mean_iu if math.isfinite(best.mean_iu) else None
        return {
            "train_size": self.train_size,
            "position": self.position,
            "log_size": self.log_size,
            "checks_size": self.checks_size,
            "best": {"iteration": best.iteration, "mean_iu": mean_iu},
            "data": self.data,
        }

    @staticmethod
    def read(path: str | os.PathLike[str], progress: Mapping[str, Any]) -> Standing:
        """What `plain` gave, from the checkpoint's `progress`. Raises `TrainingError` for what no run records."""
        match {"data": "", **progress}:
            case {
                "iteration": int(iteration),
                "train_size": int(size),
                "position": int(position),
                "log_size": int(log_size),
                "checks_size": int(checks_size),
                "best": {"iteration": int(best), "mean_iu": float() | None as mean_iu},
                "data": str(data),
            } if (
                1 <= size < 1 << 32
                and 0 <= position < size << 32
                and 0 <= log_size < 1 << 63
                and 0 <= checks_size < 1 << 63
                and 0 <= best <= iteration
                and (mean_iu is None or (best > 0 and 0 <= mean_iu <= 1))
            ):
                found = Best(best, -math.inf if mean_iu is None else mean_iu)
                return Standing(size, position, log_size, checks_size, found, data)
        raise TrainingError(
            f"{path}: its record of where the run stands is missing or damaged; start anew with "
            f"--overwrite --init {path}, which keeps the weights."
        )


def read_options(path: str | os.PathLike[str]) -> TrainOptions:
    """The options that the run of a checkpoint was given. Raises `FileError`, and `TrainingError` naming the file."""
    from fcnlite.formats import storage

    stored = storage.load(path).progress.get("options")
    if not isinstance(stored, dict):
        raise TrainingError(f"{path}: is no checkpoint of a training run; start without --resume.")
    try:
        return TrainOptions.from_plain(stored)
    except TrainingError as error:
        raise TrainingError(f"{path}: {error}") from error
