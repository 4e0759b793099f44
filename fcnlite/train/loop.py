"""The training loop: batches to solver, validation, checkpoints, log."""

from __future__ import annotations

import math
import signal
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import numpy as np

from fcnlite.data import Dataset, Loader
from fcnlite.errors import FcnliteError, TrainingError
from fcnlite.evaluation import confusion
from fcnlite.metrics import Metrics
from fcnlite.segmenter import Segmenter
from fcnlite.solver import SGD
from fcnlite.train.options import TrainOptions
from fcnlite.train.run_folder import Log, RunFolder


@dataclass
class Best:
    """The best validation so far."""

    mean_iu: float = -math.inf
    iteration: int = 0


@dataclass
class Run:
    """A training under way."""

    options: TrainOptions
    folder: RunFolder
    solver: SGD
    train_set: Dataset
    val_set: Dataset | None
    best: Best = field(default_factory=Best)

    def resume(self) -> None:
        """Take up the run from its last checkpoint."""
        progress = self.solver.restore(self.folder.last)
        if "best" in progress:
            self.best = Best(**progress["best"])

    def train(self) -> None:
        """Go on to the last iteration.

        Raises KeyboardInterrupt, with a checkpoint left, when the process is asked to stop; `TrainingError` for a
        loss or parameters that are not finite: the last good checkpoint stays.
        """
        options, solver = self.options, self.solver
        loader = Loader(
            self.train_set,
            batch_size=options.batch_size,
            augment=options.augment(),
            preprocessing=solver.net.info.preprocessing,
            seed=options.seed,
        )
        log = Log(self.folder, solver.iteration)
        batches = loader.batches(start=solver.iteration * options.iter_size)
        with closing(log), closing(batches), _stop_signals() as stop, self._bar() as bar:
            while solver.iteration < options.iterations:
                rate = solver.rate
                loss = self._step(list(islice(batches, options.iter_size)))
                done = solver.iteration
                mean_iu = math.nan
                if done % options.interval == 0 or done == options.iterations:
                    mean_iu = self._check()
                log.write(done, loss, rate, mean_iu)
                if not math.isnan(mean_iu):
                    bar.set_description(f"mean IU {mean_iu:.3f}")
                bar.set_postfix(loss=f"{loss:.4g}", rate=f"{rate:.3g}", refresh=False)
                bar.update()
                if stop:
                    self._save()
                    raise KeyboardInterrupt

    def _step(self, passes: list[Any]) -> float:
        try:
            return self.solver.step(passes)
        except TrainingError as error:
            kept = f"{self.folder.last} holds the last good checkpoint" if self.folder.last.exists() else ""
            raise TrainingError(f"{error} {kept or 'There was no checkpoint yet'}.") from error

    def _check(self) -> float:
        """Validate and write checkpoints; returns the mean IU, NaN without validation."""
        self._check_finite()
        mean_iu = math.nan
        if self.val_set is not None:
            matrix = confusion(self.solver.net.share("TEST"), self.val_set)
            mean_iu = Metrics.from_matrix(matrix).mean_iu
        if self.val_set is None or mean_iu > self.best.mean_iu:
            self.best = Best(self.best.mean_iu if self.val_set is None else mean_iu, self.solver.iteration)
            self._save_best()
        self._save()
        return mean_iu

    def _check_finite(self) -> None:
        """Refuse to save broken weights over good ones."""
        for name, parameters in self.solver.net.params.items():
            for parameter in parameters:
                if not np.isfinite(parameter.array).all():
                    raise TrainingError(
                        f"parameters of layer {name!r} are not finite after iteration {self.solver.iteration}; "
                        "lower base_lr, or check the data. The last good checkpoint stays."
                    )

    def _save(self) -> None:
        progress: dict[str, Any] = {"options": self.options.plain()}
        if math.isfinite(self.best.mean_iu):
            progress["best"] = {"mean_iu": self.best.mean_iu, "iteration": self.best.iteration}
        self.solver.snapshot(self.folder.last, progress)

    def _save_best(self) -> None:
        net = self.solver.net
        record: dict[str, Any] = {"options": self.options.plain(), "iteration": self.best.iteration}
        if math.isfinite(self.best.mean_iu):
            record["validation mean IU"] = self.best.mean_iu
        net.info = replace(net.info, record=record)
        net.save(self.folder.best)

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


def check_classes(run: Run) -> None:
    """Raise `FcnliteError` unless the net scores as many classes as the data have."""
    count = len(Segmenter(run.solver.net).classes)
    if count != len(run.train_set.classes):
        raise FcnliteError(
            f"the net scores {count} classes, but data set {run.train_set.name!r} has {len(run.train_set.classes)}; "
            "set num_output of the score and upsampling layers to that."
        )
