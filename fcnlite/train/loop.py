"""The training loop: batches to solver, validation, checkpoints, log."""

from __future__ import annotations

import math
import signal
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np

from fcnlite.data import Dataset, Loader
from fcnlite.errors import TrainingError
from fcnlite.evaluation import confusion
from fcnlite.metrics import Metrics
from fcnlite.solver import Solver
from fcnlite.train.checkpoint import Best, Standing
from fcnlite.train.options import TrainOptions
from fcnlite.train.run_folder import Log, RunFolder


class Training:
    """A training under way: `begin` or `resume` it, then `train`.

    Every checkpoint counts on what was written before it, the log up to `log_size` and best.h5. A run killed between
    these writes finds more on resuming than its checkpoint tells of: the log is cut back, and best.h5 is written
    again, the same, when the run comes by there.
    """

    def __init__(
        self, options: TrainOptions, folder: RunFolder, solver: Solver, train_set: Dataset, val_set: Dataset | None
    ) -> None:
        self.options = options
        self.folder = folder
        self.solver = solver
        self.train_set = train_set
        self.val_set = val_set
        # Made here, so that augmentation that is out of range is told before anything is written.
        self.loader = Loader(
            train_set,
            batch_size=options.batch_size,
            augment=options.augment(),
            preprocessing=solver.net.info.preprocessing,
            seed=options.seed,
        )
        self.standing = Standing(len(train_set))

    def begin(self) -> None:
        """Write the first checkpoint, over an earlier run's, and clear the folder.

        If this is cut short, the earlier run is still there, or this one can be resumed.
        """
        layer = self._not_finite()
        if layer is not None:
            raise TrainingError(
                f"the parameters of layer {layer!r} are not finite at the start; check --init, or the model's fillers."
            )
        self._save()
        self.folder.start()

    def resume(self) -> None:
        """Take up the run from its last checkpoint."""
        folder, count = self.folder, len(self.train_set)
        progress = self.solver.restore(folder.last)
        self.standing = standing = Standing.read(folder.last, progress)
        if standing.train_size != count:
            raise TrainingError(
                f"{folder.last}: its run was trained on {standing.train_size} samples, but data set "
                f"{self.train_set.name!r} ({self.train_set.split}) has {count} now; resume with the same data, "
                f"or start anew with --overwrite --init {folder.last}."
            )
        if self.solver.iteration == 0:
            folder.start()
        else:
            self._check_files()
        if progress["options"] != self.options.plain():
            # The next --resume goes on with the new ones.
            self._save()

    def _check_files(self) -> None:
        """Make sure of the files that the checkpoint counts on: they may be newer than it, but not older."""
        folder, standing = self.folder, self.standing
        if standing.best.iteration and not folder.best.exists():
            raise TrainingError(
                f"{folder.best}: is missing, but {folder.last} counts on it, the best weights, of iteration "
                f"{standing.best.iteration}; put the file back, or start anew with --overwrite --init {folder.last}."
            )
        folder.cut_log(standing.log_size, self.solver.iteration)

    def train(self) -> None:
        """Go on to the last iteration.

        Raises KeyboardInterrupt, with a checkpoint left, when the process is asked to stop; `TrainingError` for a
        loss or parameters that are not finite: the last good checkpoint stays.
        """
        options, solver, standing = self.options, self.solver, self.standing
        log = Log(self.folder)
        batches = self.loader.batches(start=standing.position)
        with closing(log), closing(batches), _stop_signals() as stop, self._bar() as bar:
            while solver.iteration < options.iterations:
                rate = solver.rate
                loss = self._step(list(islice(batches, options.iter_size)))
                standing.position += options.iter_size * options.batch_size
                done = solver.iteration
                due = done % options.interval == 0 or done == options.iterations
                mean_iu = self._validate() if due else math.nan
                log.write(done, loss, rate, mean_iu)
                if due or stop:
                    standing.log_size = log.sync()
                    if due:
                        self._save_if_best(mean_iu)
                    self._save()
                if not math.isnan(mean_iu):
                    bar.set_description(f"mean IU {mean_iu:.3f}")
                bar.set_postfix(loss=f"{loss:.4g}", rate=f"{rate:.3g}", refresh=False)
                bar.update()
                if stop:
                    raise KeyboardInterrupt

    def _step(self, passes: list[Any]) -> float:
        try:
            return self.solver.step(passes)
        except TrainingError as error:
            raise TrainingError(f"{error} {self.folder.last} holds the last good checkpoint.") from error

    def _validate(self) -> float:
        """The mean IU on the validation set; NaN without one."""
        self._check_finite()
        if self.val_set is None:
            return math.nan
        return Metrics.from_matrix(confusion(self.solver.net.share("TEST"), self.val_set)).mean_iu

    def _save_if_best(self, mean_iu: float) -> None:
        """Write best.h5 if this is the best so far; without validation, the newest is."""
        best, iteration = self.standing.best, self.solver.iteration
        if self.val_set is not None and best.iteration and not mean_iu > best.mean_iu:
            return
        record: dict[str, Any] = {"options": self.options.plain(), "iteration": iteration}
        if math.isfinite(mean_iu):
            record["validation mean IU"] = mean_iu
        self.standing.best = Best(iteration, mean_iu if math.isfinite(mean_iu) else -math.inf)
        net, info = self.solver.net, self.solver.net.info
        # The record is of these weights; the checkpoint, whose weights will be others, goes without.
        net.info = replace(info, record=record)
        try:
            net.save(self.folder.best)
        finally:
            net.info = info

    def _check_finite(self) -> None:
        """Refuse to save broken weights over good ones."""
        layer = self._not_finite()
        if layer is not None:
            raise TrainingError(
                f"parameters of layer {layer!r} are not finite after iteration {self.solver.iteration}; "
                "lower base_lr, or check the data. The last good checkpoint stays."
            )

    def _not_finite(self) -> str | None:
        """The first layer with a parameter that is not finite."""
        for name, parameters in self.solver.net.params.items():
            if not all(np.isfinite(each.array).all() for each in parameters):
                return name
        return None

    def _save(self) -> None:
        """Write last.h5."""
        self._check_finite()
        self.solver.snapshot(self.folder.last, {"options": self.options.plain(), **self.standing.plain()})

    @contextmanager
    def _bar(self) -> Iterator[Any]:
        """The progress bar on standard error: loss, rate, remaining time."""
        from tqdm import tqdm

        with tqdm(
            total=self.options.iterations,
            initial=self.solver.iteration,
            unit="it",
            file=sys.stderr,
            # A line every ten seconds is enough for a log file.
            mininterval=0.2 if sys.stderr.isatty() else 10,
        ) as bar:
            yield bar


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """Within the block, SIGINT and SIGTERM fill the list instead of stopping the process at once.

    A second one stops it.
    """
    received: list[int] = []
    before: dict[signal.Signals, Any] = {}

    def note(number: int, frame: Any) -> None:
        received.append(number)
        for each, handler in before.items():
            signal.signal(each, handler)

    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, note)
    except ValueError:
        # Not the main thread: signals are somebody else's.
        yield received
        return
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
