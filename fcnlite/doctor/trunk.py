"""A trunk without trained weights: weights that are still as their filler drew them.

An FCN is the trunk of a classifier with new score layers. If its weights were not copied, because layers have other
names, the trunk keeps the values of its fillers, or zeros, and learns little at the rates of fine-tuning.
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

SAMPLED = 1 << 16
"""The number of values of a weight that are examined: enough to know the deviation to 0.3 %."""
MIN_VALUES = 200
"""Weights with fewer values are not compared with a filler: they are too few for statistics."""
SIGMAS = 4.0
"""The standard errors within which the moments of a filled weight are; one in 16,000 is not."""

LEARNED = 1 / 20
"""A bias has learned if its deviation exceeds this fraction of the weight's. Published nets have 1/10 and more; nets
whose training fails have far less."""

GAUSSIAN, UNIFORM = 3.0, 1.8
"""The kurtosis, fourth moment over squared second, of both distributions. Learned weights have longer tails: a larger
kurtosis."""


@dataclass(frozen=True)
class Moments:
    """The moments of a filler's distribution."""

    mean: float
    deviation: float
    kurtosis: float

    def fit(self, values: Array) -> bool:
        """Whether mean, deviation and kurtosis of `values` are each within `SIGMAS` standard errors of these."""
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
    """The distributions that may have filled a weight: the described filler, and xavier and msra of any variance."""
    fan_in, fan_out = prod(shape[1:]), prod(shape) / shape[1]
    found = []
    for fan in (fan_in, fan_out, (fan_in + fan_out) / 2):
        found += [Moments(0, sqrt(1 / fan), UNIFORM), Moments(0, sqrt(2 / fan), GAUSSIAN)]
    if filler.type == "gaussian" and filler.sparse < 0 and filler.std > 0:
        found.append(Moments(filler.mean, filler.std, GAUSSIAN))
    if filler.type == "uniform" and filler.max > filler.min:
        found.append(Moments((filler.min + filler.max) / 2, (filler.max - filler.min) / sqrt(12), UNIFORM))
    return found


def matches_filler(weight: Array, filler: Filler) -> bool:
    """Whether a weight has the moments of a filler's distribution."""
    values = sampled(weight).astype(np.float64)
    return values.size >= MIN_VALUES and any(each.fit(values) for each in candidates(filler, weight.shape))


def sampled(weight: Array) -> Array:
    """At most `SAMPLED` values of a weight, spread evenly."""
    flat = weight.reshape(-1)
    return flat[:: -(-flat.size // SAMPLED)]


def is_constant(weight: Array) -> bool:
    """Whether all values are equal. Compares a sample first: all of them may take 400 MB."""
    few = sampled(weight)
    return bool((few == few[0]).all() and (weight == few[0]).all())


def _bias_learned(layer: Layer, net: Net) -> bool:
    """Whether the bias has left its constant filler. Small layers may learn although their weights hardly change."""
    weight, *biases = (each.array for each in net.params[layer.spec.name])
    if not biases or layer.options.bias_filler.type != "constant":
        return False
    return float(biases[0].std()) > LEARNED * float(sampled(weight).std())


def check(net: Net) -> list[Finding]:
    constant: list[str] = []
    filled: list[str] = []
    from_scratch: list[str] = []
    for layer in trunk_layers(net.layers):
        name, weight = layer.spec.name, net.params[layer.spec.name][0]
        if weight.array.size > 1 and is_constant(weight.array):
            # A fixed averaging filter may be intended; zeros are not.
            if weight.lr_mult or not weight.array.any():
                constant.append(name)
        elif (
            weight.lr_mult
            and not _bias_learned(layer, net)
            and matches_filler(weight.array, layer.options.weight_filler)
        ):
            (from_scratch if normalized(layer, net.layers) else filled).append(name)
    findings = []
    if constant:
        findings.append(
            Finding(
                "trunk-constant",
                "error",
                f"The weights of {listed(constant)} are all zero or all equal, so that these layers compute no "
                "features and cannot learn any.",
                "Load the trunk's weights, with the same layer names (fcnlite.surgery.transplant reports which fit), "
                "or give the layers a weight_filler such as msra.",
            )
        )
    if filled:
        findings.append(
            Finding(
                "trunk-untrained",
                "warning",
                f"The weights of {listed(filled)} are as a filler draws them: no trained weights were loaded into "
                "these layers, and without BatchNorm they hardly learn from scratch.",
                "Load a trained classifier's weights with the same layer names (train: --init; convert its "
                "InnerProduct layers to convolutions first), or go on if you intend to train from scratch.",
            )
        )
    if from_scratch:
        findings.append(
            Finding(
                "trunk-untrained",
                "note",
                f"The weights of {listed(from_scratch)} are as a filler draws them; with their BatchNorm they can "
                "learn from scratch.",
                "Train the net, or load trained weights.",
            )
        )
    return findings
