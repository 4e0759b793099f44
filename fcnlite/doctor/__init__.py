"""Why does my FCN not learn? What makes nets fail, and how to mend it.

    for finding in doctor.examine(net, dataset, solver):
        print(finding)

One file a group of checks; each states its thresholds and why they are what they are.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress

from fcnlite.data import Dataset
from fcnlite.doctor import (
    activations,
    crops,
    labels,
    padding,
    plateau,
    preprocessing,
    rates,
    scores,
    trunk,
    upsampling,
)
from fcnlite.doctor.batches import sample_batches
from fcnlite.doctor.finding import Finding, by_severity
from fcnlite.errors import FcnliteError, ShapeError, SpecError
from fcnlite.net import Net
from fcnlite.solver import Solver

__all__ = ["Finding", "cheap_checks", "examine", "warn"]


def examine(
    net: Net,
    dataset: Dataset | None = None,
    solver: Solver | None = None,
    *,
    losses: Sequence[float] = (),
    iterations: int = 0,
    tell: Callable[[str], None] = lambda text: None,
) -> list[Finding]:
    """All that is found, errors first.

    The net runs on a few pictures of `dataset`, or on random noise. `losses`: of a training so far (see
    `plateau.check`). `iterations`: train a copy of the net with `solver` and look at the loss. `tell` is called with
    what is done next. The net's gradients are overwritten.
    """
    _give_sizes(net)
    sizes: list[tuple[int, int]] = []
    of_labels: list[Finding] = []
    if dataset is not None:
        tell("reading labels")
        survey = labels.survey(dataset)
        of_labels = labels.check(survey, net)
        if survey.counts is not None:
            sizes.append((survey.counts.height, survey.counts.width))
    findings = [*cheap_checks(net, solver, sizes), *of_labels]
    if all(each.id != "input-too-small" for each in findings):
        tell("running the net")
        findings += _run(net, dataset, labelled=all(each.severity != "error" for each in of_labels))
        if dataset is not None and solver is not None and iterations:
            tell(f"training for {iterations} iterations")
            findings += _train(solver, dataset, iterations)
    findings += plateau.check(net, losses, "in the log")
    return by_severity(findings)


def cheap_checks(net: Net, solver: Solver | None = None, sizes: Sequence[tuple[int, int]] = ()) -> list[Finding]:
    """What is found without running the net, errors first. `sizes`: heights and widths of pictures."""
    findings = padding.check(net.spec, net.phase, net.info.preprocessing, sizes)
    if net.sized:
        findings += [*upsampling.check(net), *trunk.check(net)]
    findings += [*crops.check(net), *preprocessing.check(net)]
    if solver is not None:
        findings += rates.check(solver)
    return by_severity(findings)


def warn(solver: Solver) -> None:
    """Warn of what the cheap checks find in the solver and its net, but for the notes."""
    for finding in cheap_checks(solver.net, solver):
        if finding.severity != "note":
            warnings.warn(f"{finding.what} {finding.mend}", stacklevel=2)


def _give_sizes(net: Net) -> None:
    """Parameters for a net whose inputs have no described shape: the first forward makes them."""
    if not net.sized:
        # Sizes that do not fit are told by padding.py.
        with suppress(ShapeError):
            for batch in sample_batches(net, None):
                net.forward(batch.pictures)


def _run(net: Net, dataset: Dataset | None, labelled: bool) -> list[Finding]:
    """What running the net shows: as it predicts, and as it trains."""
    try:
        training = net if net.phase == "TRAIN" else net.share("TRAIN")
        predicting = _as_it_predicts(net) or training
        tried = sample_batches(training, dataset, labelled)
        found = [*scores.check(predicting, tried), *activations.check(training, tried)]
        return [*found, *preprocessing.check_range(predicting, tried)]
    except FcnliteError as error:
        return [Finding("does-not-run", "error", f"The net cannot be run: {error}", "Mend what the message names.")]


def _as_it_predicts(net: Net) -> Net | None:
    """The net in its TEST phase; None where its description leaves out what that needs, such as the data layer."""
    if net.phase == "TEST":
        return net
    try:
        return net.share("TEST")
    except SpecError:
        return None


def _train(solver: Solver, dataset: Dataset, iterations: int) -> list[Finding]:
    try:
        losses = plateau.train(solver, dataset, iterations)
    except FcnliteError as error:
        return [Finding("training-fails", "error", f"Training breaks off: {error}", "Mend what the message names.")]
    return plateau.check(solver.net, losses, "tried here")
