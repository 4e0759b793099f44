"""Finds out why an FCN does not learn, and proposes remedies.

    for finding in doctor.examine(net, dataset, solver):
        print(finding)

Each file has one group of checks and states its thresholds and the reasons for them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress

from fcnlite.data import Dataset
from fcnlite.doctor import (
    crops,
    labels,
    padding,
    plateau,
    preprocessing,
    rates,
    scores,
    signals,
    trunk,
    upsampling,
)
from fcnlite.doctor.finding import Finding, by_severity
from fcnlite.doctor.trials import trials
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
    """Run all checks and return their findings, errors first.

    The net runs on a few pictures of `dataset`, or on random noise. `losses` are those of a training so far (see
    `plateau.check`). With `iterations`, a copy of the net is trained with `solver` and its loss is checked. `tell` is
    called with the name of each step before it begins. The net's gradients are overwritten.
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
    """Run the checks that do not run the net; errors come first. `sizes`: heights and widths of pictures."""
    findings = padding.check(net.spec, net.phase, net.info.preprocessing, sizes)
    if net.sized:
        findings += [*upsampling.check(net), *trunk.check(net)]
    findings += [*crops.check(net), *preprocessing.check(net)]
    if solver is not None:
        findings += rates.check(solver)
    return by_severity(findings)


def warn(solver: Solver) -> None:
    """Run the cheap checks on the solver and its net, and warn of their findings, except notes."""
    for finding in cheap_checks(solver.net, solver):
        if finding.severity != "note":
            warnings.warn(f"{finding.what} {finding.remedy}", stacklevel=2)


def _give_sizes(net: Net) -> None:
    """Run a first forward, which makes the parameters, if the description gives no shape for the inputs."""
    if not net.sized:
        # padding.py reports sizes that do not fit.
        with suppress(ShapeError):
            for trial in trials(net, None):
                net.forward(trial.pictures)


def _run(net: Net, dataset: Dataset | None, labelled: bool) -> list[Finding]:
    """Run the net in both phases and return the findings."""
    try:
        training = net if net.phase == "TRAIN" else net.share("TRAIN")
        predicting = _as_it_predicts(net) or training
        tried = trials(training, dataset, labelled)
        found = [*scores.check(predicting, tried), *signals.check(training, tried)]
        return [*found, *preprocessing.check_range(predicting, tried)]
    except FcnliteError as error:
        return [Finding("does-not-run", "error", f"The net cannot be run: {error}", "Correct what the message names.")]


def _as_it_predicts(net: Net) -> Net | None:
    """The net in phase TEST; None if the description lacks layers that this phase needs, such as the data layer."""
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
        return [Finding("training-fails", "error", f"Training fails: {error}", "Correct what the message names.")]
    return plateau.check(solver.net, losses, "tried here")
