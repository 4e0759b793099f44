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
        best = progress.get("best")
        try:
            self.best = Best() if best is None else Best(float(best["mean_iu"]), int(best["iteration"]))
        except (KeyError, TypeError, ValueError) as error:
            raise TrainingError(f"{self.folder.last}: its record of the best validation is not usable.") from error

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
                due = done % options.interval == 0 or done == options.iterations
                mean_iu = self._validate() if due else math.nan
                # Before the checkpoint: a resumed run cuts rows off the log, but cannot make up for missing ones.
                log.write(done, loss, rate, mean_iu)
                if due:
                    self._save_if_best(mean_iu)
                if due or stop:
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
            kept = f"{self.folder.last} holds the last good checkpoint" if self.folder.last.exists() else ""
            raise TrainingError(f"{error} {kept or 'There was no checkpoint yet'}.") from error

    def _validate(self) -> float:
        """The mean IU on the validation set; NaN without one."""
        self._check_finite()
        if self.val_set is None:
            return math.nan
        return Metrics.from_matrix(confusion(self.solver.net.share("TEST"), self.val_set)).mean_iu

    def _save_if_best(self, mean_iu: float) -> None:
        """Write best.h5 if this is the best so far; without validation, the newest is."""
        if self.val_set is not None and not mean_iu > self.best.mean_iu:
            return
        self.best = Best(self.best.mean_iu if self.val_set is None else mean_iu, self.solver.iteration)
        record: dict[str, Any] = {"options": self.options.plain(), "iteration": self.best.iteration}
        if math.isfinite(self.best.mean_iu):
            record["validation mean IU"] = self.best.mean_iu
        net = self.solver.net
        net.info = replace(net.info, record=record)
        net.save(self.folder.best)

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
        """Write last.h5."""
        self._check_finite()
        progress: dict[str, Any] = {"options": self.options.plain()}
        if math.isfinite(self.best.mean_iu):
            progress["best"] = {"mean_iu": self.best.mean_iu, "iteration": self.best.iteration}
        self.solver.snapshot(self.folder.last, progress)

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
