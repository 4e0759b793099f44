"""Training a plan, from its current stage to its last: prepare, start, loop, results."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from fcnlite import doctor
from fcnlite.errors import FcnliteError, TrainingError
from fcnlite.train import loop, overview, results
from fcnlite.train.options import STRICT, MismatchPolicy
from fcnlite.train.plan import TrainingPlan
from fcnlite.train.preparation import prepare
from fcnlite.train.profile import Profile, profiled
from fcnlite.train.run import TrainingRun


def train(plan: TrainingPlan, policy: MismatchPolicy = STRICT, profile: bool = False) -> None:
    """Train the current stage of a plan and all stages after it. The caller holds the folder of the run.

    `policy` applies to the current stage only, because later stages begin on the same data. With `profile`, the layers
    are timed.
    """
    following: TrainingPlan | None = plan
    while following is not None:
        _train_stage(following, policy, profile)
        policy = STRICT
        following = following.advance()


def _train_stage(plan: TrainingPlan, policy: MismatchPolicy, profile: bool) -> None:
    """Train the current stage of a plan and print its results."""
    if plan.staged:
        print(
            f"stage {plan.current + 1} of {len(plan.options)}: {plan.stage.options.model} in {plan.stage.folder.path}"
        )
    with plan.claimed():
        # Errors in options, data and weights show here, before files of an earlier run are removed.
        run = prepare(plan.stage, policy)
        print(overview.text(run), file=sys.stderr)
        plan.write()
        try:
            run.start()
        except FcnliteError:
            plan.withdraw()
            raise
        if run.solver.iteration == 0:
            doctor.warn(run.solver)
        try:
            with _profiled(run, profile) as measured:
                loop.train(run, measured)
        except KeyboardInterrupt:
            raise TrainingError(
                f"stopped after iteration {run.solver.iteration}; continue with: "
                f"python -m fcnlite.train --resume --out {plan.folder.path}"
            ) from None
        _print_results(run)


def _print_results(run: TrainingRun) -> None:
    """Draw the results of a finished run and print the metrics of its best weights."""
    shown = run.val_set or run.train_set
    matrix = results.draw(run.folder, shown)
    print(f"{run.folder.best}, iteration {run.progress.best.iteration}, on {shown.name} {shown.split}:")
    print(results.figures(shown, matrix))


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
