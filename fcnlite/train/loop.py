"""The training loop: batches to the solver, a log, and, at intervals, validation, a checkpoint and a report."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any

import numpy as np

from fcnlite import environment
from fcnlite._cli.stopping import Stopped, noted
from fcnlite.analysis.dense import sample_loss
from fcnlite.data import VOID
from fcnlite.data.seeding import generator
from fcnlite.errors import FcnliteError, FileError, TrainingError
from fcnlite.graph.sizing import image_inputs
from fcnlite.segmentation.evaluation import confusion
from fcnlite.segmentation.segmenter import Segmenter
from fcnlite.train import report
from fcnlite.train.checkpoint import Best
from fcnlite.train.norms import Norms
from fcnlite.train.profile import Profile
from fcnlite.train.run import TrainingRun
from fcnlite.train.run_folder import TrainingLog
from fcnlite.train.timing import RemainingTime, Speed, Stopwatch
from fcnlite.train.validation import Check, Scores, predictions

Batch = dict[str, np.ndarray]


def train(run: TrainingRun, profile: Profile | None = None) -> None:
    """Train up to the last iteration of `run`, after `run.start`. `profile`: times of the layers, for the reports.

    Raises `Stopped`, after a checkpoint, when the process is asked to stop. Raises `TrainingError` if the loss
    or a parameter is not finite (the last good checkpoint stays), or if the final checkpoint could not be written.
    """
    if not run.team.ranks.first:
        _Loop(run, profile, None).train()
        return
    with closing(TrainingLog(run.folder)) as log:
        _Loop(run, profile, log).train()


class _Loop:
    """The loop, and the state that the run does not have.

    If a checkpoint cannot be written, for example because the disk is full, this is reported. The loop tries again at
    the next check; until then the previous checkpoint stays.

    Where several ranks train together, all run the loop. Rank 0 alone has a `log`, and writes files.
    """

    def __init__(self, run: TrainingRun, profile: Profile | None, log: TrainingLog | None) -> None:
        self.run = run
        self._profile = profile
        self._log = log
        self._ranks = run.team.ranks
        self._watch = Stopwatch(run.loader, run.solver.teamwork, run.solver.iteration)
        self._unsaved = ""
        """The reason why the latest checkpoint could not be written; empty if it was written."""

    def train(self) -> None:
        run, options, solver = self.run, self.run.options, self.run.solver
        remaining, stopped = RemainingTime(), 0
        batches = run.loader.batches(start=run.progress.position)
        with closing(batches), noted() as signals, self._bar() as bar:
            while solver.iteration < options.iterations:
                rate = solver.rate
                loss = self._step(self._passes(batches))
                stopped = max(self._ranks.gather(signals[0] if signals else 0))
                run.progress.position += options.iter_size * options.batch_size
                done = solver.iteration
                remaining.step()
                due = done % options.interval == 0 or done == options.iterations
                norms = Norms.of(solver.net, options.iter_size)
                check = self._check(norms) if due else None
                if self._log is not None:
                    iu = check.mean_iu if check else math.nan
                    self._log.write((done, loss, rate, norms.gradient, norms.weight, iu))
                    if due or stopped:
                        self._checkpoint(check, self._log)
                if check:
                    speed = self._watch.lap(done)
                    if self._log is not None:
                        self._report(check, loss, speed, bar, self._log)
                if check or stopped:
                    with self._watch.checking():
                        self._ranks.gather(None)  # until rank 0 has written its files
                bar.set_postfix(loss=f"{loss:.4g}", rate=f"{rate:.3g}", refresh=False)
                bar.update()
                if (estimate := remaining.estimate(done, options.iterations)) is not None:
                    bar.write(estimate, file=sys.stderr)
                if stopped:
                    break
        if self._unsaved:
            way_out = f"{run.folder.last} is of iteration {run.last_saved}; correct that and continue with --resume."
            if not run.folder.last.exists():
                way_out = f"{run.folder.last} was removed; start again."
            raise TrainingError(f"iteration {solver.iteration} was reached, but not saved: {self._unsaved} {way_out}")
        if stopped and solver.iteration < options.iterations:
            raise Stopped(stopped)

    def _passes(self, batches: Iterator[Batch]) -> list[Batch]:
        """This rank's part of the batches of one iteration.

        Raises `TrainingError`, on all ranks, if one of them cannot read its part.
        """
        mine = self.run.team.passes(self.run.options.iter_size)
        passes, problem = [], None
        try:
            passes = list(islice(batches, len(mine)))
        except FcnliteError as error:
            problem = error
        for text in self._ranks.gather(problem and str(problem)):
            if text is not None:
                raise TrainingError(
                    f"{text} {self.run.folder.last} holds the last good checkpoint; correct that and continue with "
                    "--resume."
                ) from problem
        return self._sampled(passes, mine)

    def _sampled(self, passes: list[Batch], mine: Sequence[int]) -> list[Batch]:
        """`passes`; with loss sampling, all but a random share of their label pixels become void."""
        options, solver, team = self.run.options, self.run.solver, self.run.team
        if options.loss_sampling == 1:
            return passes
        pictures = image_inputs(solver.net.layers)
        part = team.pictures(options.batch_size)
        sampled = []
        for i, batch in zip(mine, passes, strict=True):
            rng = generator("loss sampling", options.seed, solver.iteration, i)
            labels = {}
            for name in (name for name in batch if name not in pictures):
                # The random numbers are those of the whole batch, of which this may be a part.
                whole = np.full((options.batch_size, *batch[name].shape[1:]), VOID, batch[name].dtype)
                whole[part] = batch[name]
                labels[name] = sample_loss(whole, options.loss_sampling, rng, VOID)[part]
            sampled.append({**batch, **labels})
        return sampled

    def _step(self, passes: list[Batch]) -> float:
        try:
            return self.run.solver.step(passes)
        except TrainingError as error:
            raise TrainingError(f"{error} {self.run.folder.last} holds the last good checkpoint.") from error

    def _check(self, norms: Norms) -> Check:
        """Check that the parameters are finite, validate them, and log the result."""
        run, iteration = self.run, self.run.solver.iteration
        run.check_finite()
        with self._watch.checking():
            try:
                segmenter = Segmenter(run.solver.averaged_net())
                scores, val_set = Scores(self._ranks), run.val_set
                matrix = None if val_set is None else confusion(segmenter, val_set, each=scores, ranks=self._ranks)
                shown, ranked = run.train_set if val_set is None else val_set, scores.worst_first()
                samples = predictions(segmenter, shown, ranked) if self._ranks.first else []
                check = Check(iteration, norms, matrix, samples, ranked)
            except FcnliteError as error:
                raise TrainingError(
                    f"the check after iteration {iteration} failed: {error} {run.folder.last} holds the last good "
                    "checkpoint."
                ) from error
        if self._log is not None:
            self._log.write_check(check.to_json())
        return check

    def _checkpoint(self, check: Check | None, log: TrainingLog) -> None:
        """Write the logs, best.h5 and last.h5, in this order. If that fails, record the reason in `_unsaved`."""
        progress = self.run.progress
        with self._watch.checking():
            try:
                progress.log_size, progress.checks_size = log.sync()
                if check:
                    self._save_if_best(check.mean_iu)
                self.run.save()
                self._unsaved = ""
            except FileError as error:
                self._unsaved = str(error)

    def _save_if_best(self, mean_iu: float) -> None:
        """Write best.h5 if the parameters are the best so far; without validation, the latest are the best."""
        run, iteration = self.run, self.run.solver.iteration
        best = run.progress.best
        if run.val_set is not None and best.iteration and not mean_iu > best.mean_iu:
            return
        record: dict[str, Any] = {"options": run.options.public(), "iteration": iteration}
        record["made with"] = environment.versions()
        record["data fingerprint"] = run.fingerprint.digest
        if run.train_set.skipped:
            record["problems skipped"] = len(run.train_set.skipped)
        if math.isfinite(mean_iu):
            record["validation mean IU"] = mean_iu
        net = run.solver.averaged_net()
        net.save(run.folder.best, info=replace(net.info, record=record))
        run.progress.best = Best(iteration, mean_iu if math.isfinite(mean_iu) else -math.inf)

    def _report(self, check: Check, loss: float, speed: Speed, bar: Any, log: TrainingLog) -> None:
        """Report a check on standard error, above the progress bar, and in report.html."""
        log.write_speed(speed.to_json())
        averaged = " of the averaged weights" if self.run.options.ema and check.metrics is not None else ""
        lines = [f"iteration {check.iteration}: loss {loss:.4g}, {check}{averaged}, {speed}"]
        if self._unsaved:
            lines.append(f"warning: no checkpoint at iteration {check.iteration}, the run continues: {self._unsaved}")
        else:
            with self._watch.checking():
                try:
                    report.write(self.run.folder.report, self._contents(check))
                except FileError as error:
                    lines.append(f"warning: {error}")
        for line in lines:
            bar.write(line, file=sys.stderr)

    def _contents(self, check: Check) -> report.Contents:
        """The contents of the report. Raises `FileError` for logs that cannot be read."""
        run = self.run
        return report.Contents(
            name=run.folder.path.resolve().name,
            written=datetime.now().astimezone(),
            options=run.options,
            train_set=run.train_set,
            val_set=run.val_set,
            check=check,
            best=run.progress.best,
            log=run.folder.read_log(),
            checks=run.folder.read_checks(),
            speed=run.folder.read_speed(),
            profile=self._profile,
        )

    @contextmanager
    def _bar(self) -> Iterator[Any]:
        """Show a progress bar on standard error: loss, learning rate, remaining time."""
        from tqdm import tqdm

        with tqdm(
            total=self.run.options.iterations,
            initial=self.run.solver.iteration,
            unit="it",
            file=sys.stderr,
            # If standard error is a file, one line every ten seconds is enough.
            mininterval=0.2 if sys.stderr.isatty() else 10,
        ) as bar:
            yield bar
