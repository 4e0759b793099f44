"""The training loop: batches to solver, checks (validation, checkpoint, report) at intervals, log."""

from __future__ import annotations

import math
import signal
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any

import numpy as np

from fcnlite.analysis.dense import sample_loss
from fcnlite.data import VOID, Dataset, Loader
from fcnlite.data.seeding import generator
from fcnlite.errors import FcnliteError, FileError, TrainingError
from fcnlite.graph.sizing import image_inputs
from fcnlite.segmentation.class_matching import match_classes
from fcnlite.segmentation.evaluation import confusion
from fcnlite.segmentation.heads import Head
from fcnlite.segmentation.segmenter import Segmenter
from fcnlite.solver import Solver
from fcnlite.train import report
from fcnlite.train.checkpoint import Best, Standing
from fcnlite.train.consent import NO_CONSENT, Consent
from fcnlite.train.fingerprint import Fingerprint
from fcnlite.train.norms import Norms
from fcnlite.train.options import TrainOptions
from fcnlite.train.pace import Pace
from fcnlite.train.profile import Profile
from fcnlite.train.run_folder import Log, RunFolder
from fcnlite.train.watching import Check, Scores, Stopwatch, predictions

Batch = dict[str, np.ndarray]


class Training:
    """A training under way: `begin` or `resume` it, then `train`.

    Every checkpoint counts on what was written before it, the log up to `log_size` and best.h5. A run killed between
    these writes finds more on resuming than its checkpoint tells of: the logs are cut back, and best.h5 is written
    again, the same, when the run comes by there. A checkpoint that cannot be written, for the disk is full, is told of
    and tried again at the next check; until then the one before it stays.
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
        self.fingerprint = Fingerprint.of(train_set, val_set)
        self.standing = Standing(len(train_set), data=self.fingerprint.digest)
        self.profile: Profile | None = None
        """Shown in the report, if the layers are timed."""
        self._unsaved = ""
        """Why the newest checkpoint could not be written; empty where it was."""
        self._saved = 0
        """The iteration of the checkpoint on the disk."""

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
        self.fingerprint.write(self.folder.data)
        self.folder.start()

    def resume(self, consent: Consent = NO_CONSENT) -> None:
        """Take up the run from its last checkpoint.

        Raises `TrainingError` where it is not of this net and these data, unless `consent` takes that on.
        """
        folder = self.folder
        self._check_classes(consent)
        progress = self.solver.restore(folder.last)
        self._saved = self.solver.iteration
        self.standing = standing = Standing.read(folder.last, progress)
        self._check_data(consent)
        if self.solver.iteration == 0:
            folder.start()
        else:
            self._check_files()
        digest = self.fingerprint.digest
        if Fingerprint.read(folder.data, digest) is None:
            self.fingerprint.write(folder.data)
        changed = standing.data != digest or standing.train_size != len(self.train_set)
        standing.data, standing.train_size = digest, len(self.train_set)
        if changed or progress["options"] != self.options.plain():
            # The next --resume goes on with the new ones.
            self._save()

    def _check_classes(self, consent: Consent) -> None:
        """Make sure that the classes of the checkpoint have kept their numbers and names."""
        from fcnlite.formats import storage

        last = self.folder.last
        info = storage.load(last).info
        for name, labels in self.train_set.labels.items():
            before = (
                info.labels(name) if name in info.more_labels or name == next(iter(self.train_set.labels)) else None
            )
            if before is None or len(before.classes) != len(labels.classes) or consent.classes_by_number:
                continue
            remedy = (
                f"put the data's names back, begin another run from these weights with --init {last}, or give "
                "--classes-by-number if class 0 is still the same, and so on"
            )
            whose, other = f"the run in {self.folder.path}", f"data set {self.train_set.name!r}"
            match = match_classes(Head("", before), labels, whose=whose, other=other, remedy=remedy)
            if match.order is not None:
                raise TrainingError(f"{match.remark} A run goes on by number; {remedy}.")
            if match.remark:
                print(match.remark, file=sys.stderr)

    def _check_data(self, consent: Consent) -> None:
        """Make sure that the data are those that the run was begun with."""
        folder, standing, train_set = self.folder, self.standing, self.train_set
        before = Fingerprint.read(folder.data, standing.data) if standing.data else None
        changes = before.changes(self.fingerprint) if before else []
        if before is None and standing.train_size != len(train_set):
            changes.append(f"train: {len(train_set)} samples instead of {standing.train_size}")
        elif not standing.data:
            print(f"{folder.last}: has no fingerprint of its data, which may have changed since.", file=sys.stderr)
        elif before is None and standing.data != self.fingerprint.digest:
            changes.append(f"what, cannot be told, for {folder.data.name} is missing or of another run")
        if not changes:
            return
        told = "; ".join(changes)
        if not consent.changed_data:
            raise TrainingError(
                f"{folder.last}: the data {train_set.name!r} of its run have changed ({told}); resume with the same "
                "data, give --accept-changed-data to go on with what is there now, or begin another run from these "
                f"weights with --init {folder.last}."
            )
        print(f"the run goes on with changed data: {told}", file=sys.stderr)

    def _check_files(self) -> None:
        """Make sure of the files that the checkpoint counts on: they may be newer than it, but not older."""
        folder, standing = self.folder, self.standing
        if standing.best.iteration and not folder.best.exists():
            raise TrainingError(
                f"{folder.best}: is missing, but {folder.last} counts on it, the best weights, of iteration "
                f"{standing.best.iteration}; put the file back, or start anew with --overwrite --init {folder.last}."
            )
        folder.cut_logs(standing.log_size, standing.checks_size, self.solver.iteration)

    def train(self) -> None:
        """Go on to the last iteration.

        Raises KeyboardInterrupt, with a checkpoint left, when the process is asked to stop; `TrainingError` for a
        loss or parameters that are not finite: the last good checkpoint stays, and where the last checkpoint could
        not be written.
        """
        options, solver, standing = self.options, self.solver, self.standing
        log, watch, pace = Log(self.folder), Stopwatch(self.loader, solver.iteration), Pace()
        batches = self.loader.batches(start=standing.position)
        with closing(log), closing(batches), _stop_signals() as stop, self._bar() as bar:
            while solver.iteration < options.iterations:
                rate = solver.rate
                loss = self._step(self._passes(batches))
                standing.position += options.iter_size * options.batch_size
                done = solver.iteration
                pace.step()
                due = done % options.interval == 0 or done == options.iterations
                norms = Norms.of(solver.net, options.iter_size)
                check = self._check(norms, log, watch) if due else None
                log.write((done, loss, rate, norms.gradient, norms.weight, check.mean_iu if check else math.nan))
                if due or stop:
                    self._checkpoint(check, log, watch)
                if check:
                    self._show(check, loss, log, watch, bar)
                bar.set_postfix(loss=f"{loss:.4g}", rate=f"{rate:.3g}", refresh=False)
                bar.update()
                if (told := pace.tell(done, options.iterations)) is not None:
                    bar.write(told, file=sys.stderr)
                if stop:
                    break
        if self._unsaved:
            raise TrainingError(
                f"iteration {solver.iteration} was reached, but not saved: {self._unsaved} {self.folder.last} is of "
                f"iteration {self._saved}; make room and go on with --resume."
            )
        if stop and solver.iteration < options.iterations:
            raise KeyboardInterrupt

    def _passes(self, batches: Iterator[Batch]) -> list[Batch]:
        """The batches of one iteration, with the pixels that the loss is sampled at."""
        try:
            passes = list(islice(batches, self.options.iter_size))
        except FcnliteError as error:
            raise TrainingError(
                f"{error} {self.folder.last} holds the last good checkpoint; mend that, go on with --resume."
            ) from error
        if self.options.loss_sampling == 1:
            return passes
        pictures = image_inputs(self.solver.net.layers)
        sampled = []
        for i, batch in enumerate(passes):
            rng = generator("loss sampling", self.options.seed, self.solver.iteration, i)
            keep = self.options.loss_sampling
            labels = {name: sample_loss(batch[name], keep, rng, VOID) for name in batch if name not in pictures}
            sampled.append({**batch, **labels})
        return sampled

    def _step(self, passes: list[Batch]) -> float:
        try:
            return self.solver.step(passes)
        except TrainingError as error:
            raise TrainingError(f"{error} {self.folder.last} holds the last good checkpoint.") from error

    def _check(self, norms: Norms, log: Log, watch: Stopwatch) -> Check:
        """Validate, on the parameters that are being trained."""
        self._check_finite()
        with watch.checking():
            try:
                segmenter = Segmenter(self.solver.net.share("TEST"))
                scores = Scores()
                matrix = None if self.val_set is None else confusion(segmenter, self.val_set, each=scores)
                shown, ranked = self.train_set if self.val_set is None else self.val_set, scores.worst_first()
                check = Check(self.solver.iteration, norms, matrix, predictions(segmenter, shown, ranked), ranked)
            except FcnliteError as error:
                raise TrainingError(
                    f"the check after iteration {self.solver.iteration} failed: {error} {self.folder.last} holds the "
                    "last good checkpoint."
                ) from error
        log.write_check(check.plain())
        return check

    def _checkpoint(self, check: Check | None, log: Log, watch: Stopwatch) -> None:
        """Write what a resumed run counts on, or keep in mind why that could not be done."""
        standing = self.standing
        with watch.checking():
            try:
                standing.log_size, standing.checks_size = log.sync()
                if check:
                    self._save_if_best(check.mean_iu)
                self._save()
                self._unsaved = ""
            except FileError as error:
                self._unsaved = str(error)

    def _show(self, check: Check, loss: float, log: Log, watch: Stopwatch, bar: Any) -> None:
        """Tell of a check: on standard error, above the bar, and in the report."""
        speed = watch.lap(check.iteration)
        log.write_speed(speed.plain())
        lines = [f"iteration {check.iteration}: loss {loss:.4g}, {check}, {speed}"]
        if self._unsaved:
            lines.append(f"warning: no checkpoint at iteration {check.iteration}, the run goes on: {self._unsaved}")
        else:
            with watch.checking():
                try:
                    report.write(self.folder.report, self._report(check))
                except FileError as error:
                    lines.append(f"warning: {error}")
        for line in lines:
            bar.write(line, file=sys.stderr)

    def _report(self, check: Check) -> report.Contents:
        """What the report shows at `check`. Raises `FileError` for logs that cannot be read."""
        return report.Contents(
            name=self.folder.path.resolve().name,
            written=datetime.now().astimezone(),
            options=self.options,
            train_set=self.train_set,
            val_set=self.val_set,
            check=check,
            best=self.standing.best,
            log=self.folder.read_log(),
            checks=self.folder.read_checks(),
            speed=self.folder.read_speed(),
            profile=self.profile,
        )

    def _save_if_best(self, mean_iu: float) -> None:
        """Write best.h5 if this is the best so far; without validation, the newest is."""
        best, iteration = self.standing.best, self.solver.iteration
        if self.val_set is not None and best.iteration and not mean_iu > best.mean_iu:
            return
        record: dict[str, Any] = {"options": self.options.public(), "iteration": iteration}
        if self.train_set.skipped:
            record["pictures skipped"] = len(self.train_set.skipped)
        if math.isfinite(mean_iu):
            record["validation mean IU"] = mean_iu
        net, info = self.solver.net, self.solver.net.info
        # The record is of these weights; the checkpoint, whose weights will be others, goes without.
        net.info = replace(info, record=record)
        try:
            net.save(self.folder.best)
        finally:
            net.info = info
        self.standing.best = Best(iteration, mean_iu if math.isfinite(mean_iu) else -math.inf)

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
        self._saved = self.solver.iteration

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
