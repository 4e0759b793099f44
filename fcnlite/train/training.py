"""One run in one folder, from its beginning or its checkpoint to its results."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fcnlite import doctor
from fcnlite.errors import TrainingError
from fcnlite.formats import storage
from fcnlite.train import opening, results, starting
from fcnlite.train.checkpoint import read_options
from fcnlite.train.consent import NO_CONSENT, Consent
from fcnlite.train.loop import Training
from fcnlite.train.options import TrainOptions, changed
from fcnlite.train.profile import profiled
from fcnlite.train.run_folder import RunFolder


def prepare(folder: RunFolder, options: TrainOptions, consent: Consent = NO_CONSENT) -> Training:
    """A training that can begin: data checked, weights to start from taken; nothing is written to `folder` yet."""
    run = starting.start(starting.with_threads(options), folder)
    if options.init is not None:
        print(starting.transplant(options.init, run.solver.net, consent))
    return run


def begin(run: Training, profile: bool = False) -> None:
    """Train anew in its folder, which is claimed; what an earlier run left there is replaced."""
    print(opening.text(run), file=sys.stderr)
    run.begin()
    doctor.warn(run.solver)
    _finish(run, profile)


def resume(folder: RunFolder, changes: dict[str, Any], profile: bool = False, consent: Consent = NO_CONSENT) -> None:
    """Go on from the folder's checkpoint with its options, but for `changes`."""
    stored = read_options(folder.last)
    starting.check_imports(stored, changes, folder)
    options = starting.with_threads(changed(stored, changes))
    run = starting.start(options, folder, storage.load(folder.last).info.preprocessing)
    run.resume(consent)
    print(opening.text(run), file=sys.stderr)
    print(f"resumed at iteration {run.solver.iteration} of {run.options.iterations}", file=sys.stderr)
    _finish(run, profile)


def _finish(run: Training, profile: bool) -> None:
    """Train to the end, draw the results, print the figures."""
    folder = run.folder
    try:
        with _profiled(run, profile):
            run.train()
    except KeyboardInterrupt:
        raise TrainingError(
            f"stopped after iteration {run.solver.iteration}; go on with: "
            f"python -m fcnlite.train --resume --out {folder.path}"
        ) from None
    shown = run.val_set or run.train_set
    matrix = results.draw(folder, shown)
    print(f"{folder.best}, iteration {run.standing.best.iteration}, on {shown.name} {shown.split}:")
    print(results.figures(shown, matrix))


@contextmanager
def _profiled(run: Training, wanted: bool) -> Iterator[None]:
    """Time the layers within the block, if that is wanted, and print the table at its end, whatever ends it."""
    if not wanted:
        yield
        return
    with profiled(run.solver.net) as run.profile:
        try:
            yield
        finally:
            print(run.profile.table())
