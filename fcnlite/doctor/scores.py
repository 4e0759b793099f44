"""Scores that are equal for all classes, or predict one class everywhere.

Equal scores carry no information. They have one of three causes: upsampling weights that are zero, score layers that
are zero (as when training an FCN starts), or dead features.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from fcnlite.doctor.batches import Batch
from fcnlite.doctor.finding import Finding, listed
from fcnlite.doctor.structure import score_blobs, score_layers
from fcnlite.net import Net
from fcnlite.surgery import zero_upsampling


def check(net: Net, batches: Sequence[Batch]) -> list[Finding]:
    """Check the scores of `net`, which is in phase TEST, on each batch."""
    equal: dict[str, bool] = {}
    winners: dict[str, set[int]] = {}
    for batch in batches:
        for name, scores in net.forward(batch.pictures, outputs=score_blobs(net.layers)).items():
            if scores.ndim > 1 and scores.shape[1] > 1 and np.isfinite(scores).all():
                equal[name] = equal.get(name, True) and not np.ptp(scores, axis=1).any()
                # With one position there is always one class; that is not a finding.
                several = prod(scores.shape[2:]) > 1
                won = set(np.unique(scores.argmax(axis=1)).tolist()) if several else set(range(scores.shape[1]))
                winners.setdefault(name, set()).update(won)
    findings = []
    if not score_layers(net.layers):
        return []  # no layer has weights that score
    for name, found in winners.items():
        if equal[name]:
            findings.append(_equal(net, name, batches))
        elif len(found) == 1:
            findings += _one_class(net, name, found.pop(), batches)
    return findings


def _equal(net: Net, blob: str, batches: Sequence[Batch]) -> Finding:
    what = f"The scores {blob!r} are equal for all classes at every pixel of {_named(batches)}"
    upsampling = zero_upsampling(net)
    scoring = [layer.spec.name for layer in score_layers(net.layers)]
    zero = [name for name in scoring if not net.params[name][0].array.any()]
    if upsampling:
        cause = f"the upsampling is zero ({listed(upsampling)})"
        return Finding("scores-zero", "error", f"{what}: {cause}.", "Call fcnlite.surgery.interp(net).")
    if zero == scoring:
        return Finding(
            "scores-zero",
            "note",
            f"{what}: the score layers {listed(zero)} are zero, as when training an FCN starts.",
            "Train the net; if it is trained already, load its weights with the same layer names.",
        )
    return Finding(
        "scores-zero",
        "error",
        f"{what}, although the score layers {listed(scoring)} are not zero: the features before them are dead, "
        "or the layers after them make all classes equal.",
        "See the findings about weights, upsampling and dead layers; if it arose in training, lower base_lr.",
    )


def _one_class(net: Net, blob: str, winner: int, batches: Sequence[Batch]) -> list[Finding]:
    real = any(batch.classes for batch in batches)
    if real and max(batch.classes for batch in batches) < 2:
        return []
    name = net.info.classes[winner] if winner < len(net.info.classes) else f"class {winner}"
    what = f"By the scores {blob!r}, every pixel of {_named(batches)} is {name}"
    if not real:
        mend = "Examine the net with pictures: --data."
        return [Finding("scores-one-class", "note", f"{what}; pictures may give another result.", mend)]
    return [
        Finding(
            "scores-one-class",
            "warning",
            f"{what}, although the labels have more classes.",
            "Train longer or with another rate, and check labels, mean and order of colours.",
        )
    ]


def _named(batches: Sequence[Batch]) -> str:
    return " and ".join(batch.name for batch in batches)
