"""Dead layers, exploding activations and vanished gradients, on real pictures.

Measured in phase TRAIN, in which BatchNorm does not need running statistics:

    dead         more than 99 % of a ReLU's top is zero for every picture; half is usual
    exploding    the standard deviation grows more than a thousandfold from a layer's bottom to its top; fillers such as
                 msra keep it about constant
    no gradient  all gradients of the trunk are zero although the loss is not
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from fcnlite.arrays import Array
from fcnlite.doctor.batches import Batch
from fcnlite.doctor.finding import Finding, listed
from fcnlite.doctor.structure import WEIGHTED, score_layers, trunk_layers
from fcnlite.layers import Layer
from fcnlite.net import Net

DEAD = 0.99
GROWTH = 1e3


def check(net: Net, batches: Sequence[Batch]) -> list[Finding]:
    """Check `net`, which is in phase TRAIN, on each batch. Changes only gradients."""
    zeros: dict[str, float] = {}
    growth: dict[str, float] = {}
    with _statistics_kept(net):
        for batch in batches:
            net.forward({**batch.pictures, **batch.labels}, keep=True)
            broken = net.find_nonfinite()
            if broken is not None:
                return [_not_finite(batch, broken)]
            blobs = net.blobs  # each access copies all blobs
            for layer in net.layers:
                _measure(layer, blobs, zeros, growth)
        gradients = _gradients(net, batches[-1])
    return [*_dead(zeros), *_exploding(growth), *gradients]


@contextmanager
def _statistics_kept(net: Net) -> Iterator[None]:
    """Restore BatchNorm's running sums at the end of the block."""
    kept = [(each, each.array.copy()) for group in net.params.values() for each in group if each.statistic]
    try:
        yield
    finally:
        for parameter, values in kept:
            parameter.data = values


def _measure(layer: Layer, blobs: dict[str, Array], zeros: dict[str, float], growth: dict[str, float]) -> None:
    """Update the smallest share of zeros and the largest growth of a layer with those of one batch."""
    name = layer.spec.name
    if not layer.spec.bottom or layer.spec.top[:1] == () or layer.spec.top[0] not in blobs:
        return
    top = blobs[layer.spec.top[0]]
    if layer.type == "ReLU" and not layer.options.negative_slope:
        zeros[name] = min(zeros.get(name, 1.0), 1 - np.count_nonzero(top) / top.size)
    if layer.type in WEIGHTED:
        below = float(blobs[layer.spec.bottom[0]].std())
        if below:
            growth[name] = max(growth.get(name, 0.0), float(top.std()) / below)


def _not_finite(batch: Batch, broken: str) -> Finding:
    return Finding(
        "not-finite",
        "error",
        f"With {batch.name}, {broken} holds NaN or infinity.",
        "Load weights that are finite; if it arose in training, go back to an earlier checkpoint and lower base_lr.",
    )


def _dead(zeros: dict[str, float]) -> list[Finding]:
    wholly = [name for name, share in zeros.items() if share == 1]
    nearly = [name for name, share in zeros.items() if DEAD < share < 1]
    mend = (
        "Start with the first of these layers: load its weights, give its bias a filler above 0, check the mean of the "
        "preprocessing, or train it with a lower base_lr."
    )
    findings = []
    if wholly:
        what = f"{listed(wholly)}: the output is zero for every picture, so that no layer before learns from it."
        findings.append(Finding("layer-dead", "error", what, mend))
    if nearly:
        what = f"{listed(nearly)}: more than {100 * DEAD:g} % of the output is zero for every picture."
        findings.append(Finding("layer-dead", "warning", what, mend))
    return findings


def _exploding(growth: dict[str, float]) -> list[Finding]:
    growing = [f"{name} ({factor:.0f} times)" for name, factor in growth.items() if factor > GROWTH]
    if not growing:
        return []
    return [
        Finding(
            "layer-explodes",
            "warning",
            f"The standard deviation grows more than {GROWTH:.0f} times from bottom to top of {listed(growing)}.",
            "Check the weights of these layers and the scale of the input; initialise the layers with the msra filler.",
        )
    ]


def _gradients(net: Net, batch: Batch) -> list[Finding]:
    """Check the gradients of the last forward pass."""
    trunk = [layer.spec.name for layer in trunk_layers(net.layers) if net.params[layer.spec.name][0].lr_mult]
    scoring = [layer.spec.name for layer in score_layers(net.layers)]
    if not trunk or not batch.labels or not net.loss > 0:
        return []
    loss = net.loss
    net.backward()
    broken = [name for name in (*trunk, *scoring) if not np.isfinite(net.params[name][0].grad).all()]
    if broken:
        return [
            Finding(
                "not-finite",
                "error",
                f"With {batch.name} the loss is {loss:.4g}, but the gradients of {listed(broken)} are not finite.",
                "Lower the loss_weight or normalise the loss, and check the weights.",
            )
        ]
    # Score layers that are zero propagate no gradient in the first iteration, but learn themselves.
    scores_learn = any(net.params[name][0].grad.any() and not net.params[name][0].array.any() for name in scoring)
    if scores_learn or any(net.params[name][0].grad.any() for name in trunk):
        return []
    return [
        Finding(
            "no-gradient",
            "error",
            f"With {batch.name} the loss is {loss:.4g}, but the gradients of all {len(trunk)} layers of the trunk are "
            "zero: the trunk learns nothing.",
            "See the findings about upsampling and dead layers, and whether propagate_down or lr_mult stop gradients.",
        )
    ]
