"""Finds why a fully convolutional network does not learn, and says how to repair it.

    for finding in doctor.examine(net, dataset, solver):
        print(finding)

Each file holds one group of checks, with their thresholds and the reasons for them.
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
    """Run all checks. Returns the findings, errors first.

    Runs the net on a few pictures of `dataset`, or on random noise without a data set. `losses`: the losses of a
    training so far (see `plateau.check`). `iterations`: train a copy of the net with `solver` on `dataset` for so many
    iterations and check the loss. `tell`: called with the name of each stage before it begins. Overwrites the net's
    gradients.
    """
    _give_sizes(net)
    sizes: list[tuple[int, int]] = []
    label_findings: list[Finding] = []
    if dataset is not None:
        tell("reading labels")
        survey = labels.survey(dataset)
        label_findings = labels.check(survey, net)
        if survey.counts is not None:
            sizes.append((survey.counts.height, survey.counts.width))
    findings = [*cheap_checks(net, solver, sizes), *label_findings]
    if all(each.id != "input-too-small" for each in findings):
        tell("running the net")
        findings += _run(net, dataset, labelled=all(each.severity != "error" for each in label_findings))
        if dataset is not None and solver is not None and iterations:
            tell(f"training for {iterations} iterations")
            findings += _train(solver, dataset, iterations)
    findings += plateau.check(net, losses, "in the log")
    return by_severity(findings)


def cheap_checks(net: Net, solver: Solver | None = None, sizes: Sequence[tuple[int, int]] = ()) -> list[Finding]:
    """The findings of the checks that do not run the net, errors first. `sizes`: heights and widths of pictures."""
    findings = padding.check(net.spec, net.phase, net.info.preprocessing, sizes)
    if net.sized:
        findings += [*upsampling.check(net), *trunk.check(net)]
    findings += [*crops.check(net), *preprocessing.check(net)]
    if solver is not None:
        findings += rates.check(solver)
    return by_severity(findings)


def warn(solver: Solver) -> None:
    """Emit a warning for each error and warning that the cheap checks find in the solver and its net."""
    for finding in cheap_checks(solver.net, solver):
        if finding.severity != "note":
            warnings.warn(f"{finding.what} {finding.mend}", stacklevel=2)


def _give_sizes(net: Net) -> None:
    """Run forward if the net has no parameters yet: a net without described input shapes gets them there."""
    if not net.sized:
        # padding.py reports sizes that do not fit.
        with suppress(ShapeError):
            for batch in sample_batches(net, None):
                net.forward(batch.pictures)


def _run(net: Net, dataset: Dataset | None, labelled: bool) -> list[Finding]:
    """The findings of the checks that run the net, in phase TEST and in phase TRAIN."""
    try:
        training = net if net.phase == "TRAIN" else net.share("TRAIN")
        predicting = _in_test_phase(net) or training
        batches = sample_batches(training, dataset, labelled)
        found = [*scores.check(predicting, batches), *activations.check(training, batches)]
        return [*found, *preprocessing.check_range(predicting, batches)]
    except FcnliteError as error:
        return [Finding("does-not-run", "error", f"The net cannot run: {error}", "Correct what the message names.")]


def _in_test_phase(net: Net) -> Net | None:
    """The net in phase TEST; None if its description lacks something for that phase, such as the data layer."""
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
        return [
            Finding(
                "training-fails", "error", f"Training stops with an error: {error}", "Correct what the message names."
            )
        ]
    return plateau.check(solver.net, losses, "measured here")
