"""A prepared run: data, net, solver and progress, and the files that it keeps in its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fcnlite.data import Dataset, Loader
from fcnlite.errors import TrainingError
from fcnlite.net import Net
from fcnlite.ranks.team import Team
from fcnlite.solver import Solver
from fcnlite.train import config_file
from fcnlite.train.checkpoint import Progress
from fcnlite.train.fingerprint import Fingerprint
from fcnlite.train.options import TrainOptions
from fcnlite.train.run_folder import RunFolder


@dataclass
class TrainingRun:
    """Everything that the training loop works on.

    Every checkpoint relies on the files written before it: the logs up to `progress.log_size` and `checks_size`, and
    best.h5. After a kill between these writes, the files are ahead of the checkpoint. The resumed run truncates the
    logs, and writes the same best.h5 again when it gets there.
    """

    options: TrainOptions
    folder: RunFolder
    solver: Solver
    train_set: Dataset
    val_set: Dataset | None
    loader: Loader
    fingerprint: Fingerprint
    progress: Progress
    team: Team = field(default_factory=Team)
    """The ranks that train together. Rank 0 alone writes files."""
    saved: Mapping[str, Any] = field(default_factory=dict)
    """The record of this run in last.h5; empty before the first one."""

    @property
    def last_saved(self) -> int:
        """The iteration of last.h5."""
        return int(self.saved.get("iteration", 0))

    def start(self) -> None:
        """Bring the folder to the state of the run.

        The checkpoint is written first. If this method is cut short, an earlier run is still intact, or this run can
        be resumed. Raises `TrainingError` where files that the checkpoint relies on are missing or damaged.
        """
        if self.solver.iteration:
            self._check_files()
        if any(self.saved.get(name) != value for name, value in self._record().items()):
            self.save()
        if Fingerprint.read(self.folder.data, self.fingerprint.digest) is None:
            self.fingerprint.write(self.folder.data)
        if not self.solver.iteration:
            self.folder.start()
        config_file.write(self.folder.config, self.options, self.fingerprint.digest, self.team.ranks.size)

    def save(self) -> None:
        """Write last.h5. Raises `TrainingError` for parameters that are not finite, `FileError` for a failed write."""
        self.check_finite()
        record = self._record()
        self.solver.snapshot(self.folder.last, record)
        self.saved = record

    def check_finite(self) -> None:
        """Raise `TrainingError` for parameters that are not finite, which must not replace good ones."""
        layer = layer_not_finite(self.solver.net)
        if layer is not None:
            raise TrainingError(
                f"parameters of layer {layer!r} are not finite after iteration {self.solver.iteration}; "
                "lower base_lr, or check the data. The last good checkpoint stays."
            )

    def _record(self) -> dict[str, Any]:
        """The record of the run for a checkpoint."""
        return {
            "iteration": self.solver.iteration,
            "options": self.options.to_json(),
            **self.progress.to_json(),
        }

    def _check_files(self) -> None:
        """Check the files that the checkpoint relies on, which may be newer than it, and truncate the logs to it."""
        folder, best = self.folder, self.progress.best
        if best.iteration and not folder.best.exists():
            raise TrainingError(
                f"{folder.best}: is missing, but {folder.last} relies on it for the best weights, of iteration "
                f"{best.iteration}; put the file back, or start again with --overwrite --init {folder.last}."
            )
        folder.cut_logs(self.progress.log_size, self.progress.checks_size, self.solver.iteration)


def layer_not_finite(net: Net) -> str | None:
    """The first layer that has a parameter that is not finite."""
    for name, parameters in net.params.items():
        if not all(np.isfinite(each.array).all() for each in parameters):
            return name
    return None
