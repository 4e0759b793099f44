"""Training a plan, from its current stage to its last: prepare, start, loop, results."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple

from fcnlite import doctor
from fcnlite._cli.stopping import Stopped
from fcnlite.arrays import Array
from fcnlite.description.model_info import Labels
from fcnlite.errors import FcnliteError
from fcnlite.ranks.communicator import ALONE, Communicator
from fcnlite.segmentation.figures import label_values
from fcnlite.train import loop, overview, results
from fcnlite.train.options import STRICT, MismatchPolicy
from fcnlite.train.plan import TrainingPlan
from fcnlite.train.preparation import prepare
from fcnlite.train.profile import Profile, profiled
from fcnlite.train.run import TrainingRun


class TrainingResult(NamedTuple):
    """The best weights of a stage, and what they score."""

    weights: str
    iteration: int
    data: str
    split: str
    labels: Labels
    matrix: Array
    """The confusion matrix of the first label map."""

    def values(self) -> dict[str, Any]:
        """As JSON values."""
        named = {name: getattr(self, name) for name in ("weights", "iteration", "data", "split")}
        return {**named, **label_values(self.labels, self.matrix)}


def train(
    plan: TrainingPlan,
    policy: MismatchPolicy = STRICT,
    profile: bool = False,
    ranks: Communicator = ALONE,
) -> list[TrainingResult]:
    """Train the current stage of a plan and all stages after it. The caller holds the folder of the run.

    Prints and returns the results of each stage.

    `policy` applies to the current stage only, because later stages begin on the same data. With `profile`, the layers
    are timed. Several `ranks` train together: all call this with the same arguments, and rank 0 alone writes files.
    """
    following: TrainingPlan | None = plan
    found = []
    while following is not None:
        found.append(_train_stage(following, policy, profile, ranks))
        policy = STRICT
        following = ranks.from_first(following.advance)
    return found


def _train_stage(plan: TrainingPlan, policy: MismatchPolicy, profile: bool, ranks: Communicator) -> TrainingResult:
    """Train the current stage of a plan; prints and returns its results."""
    if plan.staged:
        print(
            f"stage {plan.current + 1} of {len(plan.options)}: {plan.stage.options.model} in {plan.stage.folder.path}"
        )
    with plan.claimed() if ranks.first else nullcontext():
        # Errors in options, data and weights show here, before files of an earlier run are removed.
        run = prepare(ranks.from_first(lambda: plan.stage), policy, ranks)
        try:
            if ranks.first:
                _start(plan, run)
            with _profiled(run, profile) as measured:
                loop.train(run, measured)
        except KeyboardInterrupt as interrupt:
            raise _stopped(plan, run, Stopped.of(interrupt)) from None
        return _results(run)


def _start(plan: TrainingPlan, run: TrainingRun) -> None:
    """Show what is going to be trained, and bring the folders to the state of the run."""
    print(overview.text(run), file=sys.stderr)
    plan.write()
    try:
        run.start()
    except FcnliteError:
        plan.withdraw()
        raise
    if run.solver.iteration == 0:
        doctor.warn(run.solver)


def _stopped(plan: TrainingPlan, run: TrainingRun, stop: Stopped) -> Stopped:
    """The same, with the way to continue if the run has a checkpoint. Rank 0 alone knows of an older checkpoint."""
    done, first = run.solver.iteration, run.team.ranks.first
    if first and not run.saved:
        return stop
    held = f", of which {run.folder.last} holds {run.last_saved}" if first and run.last_saved != done else ""
    return Stopped(
        stop.number,
        f"stopped after iteration {done}{held}; continue with: "
        f"python -m fcnlite.train --resume --out {plan.folder.path}",
    )


def _results(run: TrainingRun) -> TrainingResult:
    """Draw the results of a finished run; prints and returns the metrics of its best weights."""
    shown = run.val_set or run.train_set
    matrix = results.draw(run.folder, shown, run.team.ranks)
    best = run.progress.best.iteration
    print(f"{run.folder.best}, iteration {best}, on {shown.name} {shown.split}:")
    print(results.figures(shown, matrix))
    labels = next(iter(shown.labels.values()))
    return TrainingResult(str(run.folder.best), best, shown.name, shown.split, labels, matrix)


@contextmanager
def _profiled(run: TrainingRun, wanted: bool) -> Iterator[Profile | None]:
    """Time the layers within the block, if `wanted`, and print the table when the block ends, also by an error."""
    if not wanted:
        yield None
        return
    with profiled(run.solver.net) as profile:
        try:
            yield profile
        finally:
            print(profile.table())
