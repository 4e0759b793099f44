"""Weights that nobody transplanted: features still as they were filled.

An FCN is a classifier's trunk under new score layers; if the copying by name went wrong, the trunk keeps what its
filler drew, or zeros, and little is learned at the rates of fine-tuning.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod, sqrt

import numpy as np

from fcnlite.arrays import Array
from fcnlite.description.fillers import Filler
from fcnlite.doctor.finding import Finding, listed
from fcnlite.doctor.structure import normalized, trunk_layers
from fcnlite.layers import Layer
from fcnlite.net import Net

LOOKED_AT = 1 << 16
"""Values of a weight that are looked at, evenly spread: they know the deviation to 0.3 %, and cost no time."""
LEAST = 200
"""Values below which chance decides what a weight looks like."""
SIGMAS = 4.0
"""Standard errors that a filled weight may be off; one in 16,000 is further."""

LEARNED = 1 / 20
"""Of the weight's deviation: a bias that varies by more has learned. 1/10 and more in published nets; far less in a net
whose training does not get on."""

GAUSSIAN, UNIFORM = 3.0, 1.8
"""The kurtosis of both: fourth moment over squared second. Learned weights have longer tails, and more of it."""


@dataclass(frozen=True)
class Moments:
    """What a filler draws."""

    mean: float
    deviation: float
    kurtosis: float

    def fit(self, values: Array) -> bool:
        """Whether `values` may be drawn so: mean, deviation and kurtosis within `SIGMAS` standard errors each."""
        count, centred = values.size, values - values.mean()
        deviation = float(np.sqrt(np.mean(centred**2)))
        if not deviation:
            return False
        kurtosis = float(np.mean(centred**4)) / deviation**4
        return (
            abs(float(values.mean()) - self.mean) < SIGMAS * self.deviation / sqrt(count)
            and abs(deviation / self.deviation - 1) < SIGMAS * sqrt((self.kurtosis - 1) / (4 * count))
            and abs(kurtosis - self.kurtosis) < SIGMAS * sqrt(24 / count)
        )


def candidates(filler: Filler, shape: tuple[int, ...]) -> list[Moments]:
    """What the weight may have been filled with: as described, or by xavier or msra, as builders do."""
    fan_in, fan_out = prod(shape[1:]), prod(shape) / shape[1]
    found = []
    for fan in (fan_in, fan_out, (fan_in + fan_out) / 2):
        found += [Moments(0, sqrt(1 / fan), UNIFORM), Moments(0, sqrt(2 / fan), GAUSSIAN)]
    if filler.type == "gaussian" and filler.sparse < 0 and filler.std > 0:
        found.append(Moments(filler.mean, filler.std, GAUSSIAN))
    if filler.type == "uniform" and filler.max > filler.min:
        found.append(Moments((filler.min + filler.max) / 2, (filler.max - filler.min) / sqrt(12), UNIFORM))
    return found


def as_filled(weight: Array, filler: Filler) -> bool:
    """Whether a weight cannot be told from what a filler draws."""
    values = spread(weight).astype(np.float64)
    return values.size >= LEAST and any(each.fit(values) for each in candidates(filler, weight.shape))


def spread(weight: Array) -> Array:
    """At most `LOOKED_AT` values of a weight, evenly spread."""
    flat = weight.reshape(-1)
    return flat[:: -(-flat.size // LOOKED_AT)]


def is_constant(weight: Array) -> bool:
    """Whether all values are one. The few are asked first: all of them may be 400 MB."""
    few = spread(weight)
    return bool((few == few[0]).all() and (weight == few[0]).all())


def _bias_learned(layer: Layer, net: Net) -> bool:
    """Whether the bias has left a constant filler: small layers may learn and keep what their weights looked like."""
    weight, *biases = (each.array for each in net.params[layer.spec.name])
    if not biases or layer.options.bias_filler.type != "constant":
        return False
    return float(biases[0].std()) > LEARNED * float(spread(weight).std())


def check(net: Net) -> list[Finding]:
    constant: list[str] = []
    filled: list[str] = []
    from_scratch: list[str] = []
    for layer in trunk_layers(net.layers):
        name, weight = layer.spec.name, net.params[layer.spec.name][0]
        if weight.array.size > 1 and is_constant(weight.array):
            # A fixed averaging filter may be meant; zeros are not.
            if weight.lr_mult or not weight.array.any():
                constant.append(name)
        elif weight.lr_mult and not _bias_learned(layer, net) and as_filled(weight.array, layer.options.weight_filler):
            (from_scratch if normalized(layer, net.layers) else filled).append(name)
    findings = []
    if constant:
        findings.append(
            Finding(
                "trunk-constant",
                "error",
                f"The weights of {listed(constant)} are all zero or all equal, so that these layers compute no "
                "features and cannot learn any.",
                "Load the trunk's weights, with layers of the same names (fcnlite.surgery.transplant tells which fit), "
                "or give the layers a weight_filler such as msra.",
            )
        )
    if filled:
        findings.append(
            Finding(
                "trunk-untrained",
                "warning",
                f"The weights of {listed(filled)} are as a filler draws them, so no trained trunk was transplanted "
                "into these layers, and without BatchNorm they hardly learn from scratch.",
                "Load a trained classifier's weights by the same layer names (train: --init; a classifier's "
                "InnerProduct layers must be made convolutions first), or go on if you mean to start from scratch.",
            )
        )
    if from_scratch:
        findings.append(
            Finding(
                "trunk-untrained",
                "note",
                f"The weights of {listed(from_scratch)} are as a filler draws them; with BatchNorm behind them they "
                "can learn from scratch.",
                "Train the net, or load trained weights.",
            )
        )
    return findings
