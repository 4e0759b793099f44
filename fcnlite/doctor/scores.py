"""Scores that are zero, or have the same largest class everywhere.

Scores that are the same for all classes at every pixel have one of three causes: upsampling weights of zero, score
layers of zero (as an FCN starts), or features that became zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from fcnlite.doctor.anatomy import score_blobs, score_layers
from fcnlite.doctor.finding import Finding, listed
from fcnlite.doctor.trials import Trial
from fcnlite.net import Net
from fcnlite.surgery import zero_upsampling


def check(net: Net, trials: Sequence[Trial]) -> list[Finding]:
    """Check the scores of `net`, which is in phase TEST, on the trials."""
    equal: dict[str, bool] = {}
    winners: dict[str, set[int]] = {}
    for trial in trials:
        for name, scores in net.forward(trial.pictures, outputs=score_blobs(net.layers)).items():
            if scores.ndim > 1 and scores.shape[1] > 1 and np.isfinite(scores).all():
                equal[name] = equal.get(name, True) and not np.ptp(scores, axis=1).any()
                # Scores with one position always have one class.
                several = prod(scores.shape[2:]) > 1
                won = set(np.unique(scores.argmax(axis=1)).tolist()) if several else set(range(scores.shape[1]))
                winners.setdefault(name, set()).update(won)
    findings = []
    if not score_layers(net.layers):
        return []  # no layer learns to score
    for name, found in winners.items():
        if equal[name]:
            findings.append(_equal(net, name, trials))
        elif len(found) == 1:
            findings += _one_class(net, name, found.pop(), trials)
    return findings


def _equal(net: Net, blob: str, trials: Sequence[Trial]) -> Finding:
    what = f"The scores {blob!r} are the same for all classes at every pixel of {_named(trials)}"
    upsampling = zero_upsampling(net)
    scoring = [layer.spec.name for layer in score_layers(net.layers)]
    zero = [name for name in scoring if not net.params[name][0].array.any()]
    if upsampling:
        because = f"the upsampling is zero ({listed(upsampling)})"
        return Finding("scores-zero", "error", f"{what}: {because}.", "Call fcnlite.surgery.interp(net).")
    if zero == scoring:
        return Finding(
            "scores-zero",
            "note",
            f"{what}: the score layers {listed(zero)} are zero, as an FCN starts.",
            "Train the net; if it is trained, load its weights by the same layer names.",
        )
    return Finding(
        "scores-zero",
        "error",
        f"{what}, though the score layers {listed(scoring)} are not zero: the features die before them, "
        "or the layers after them make all classes equal.",
        "See the findings on weights, upsampling and dead layers; lower base_lr if this arose in training.",
    )


def _one_class(net: Net, blob: str, winner: int, trials: Sequence[Trial]) -> list[Finding]:
    real = any(trial.classes for trial in trials)
    if real and max(trial.classes for trial in trials) < 2:
        return []
    name = net.info.classes[winner] if winner < len(net.info.classes) else f"class {winner}"
    what = f"By the scores {blob!r} every pixel of {_named(trials)} is {name}"
    if not real:
        remedy = "Try the net with pictures: --data."
        return [Finding("scores-one-class", "note", f"{what}; with pictures this may differ.", remedy)]
    return [
        Finding(
            "scores-one-class",
            "warning",
            f"{what}, though the labels have more classes.",
            "Train longer or with another rate, and check the labels, the mean and the order of colours.",
        )
    ]


def _named(trials: Sequence[Trial]) -> str:
    return " and ".join(trial.name for trial in trials)
