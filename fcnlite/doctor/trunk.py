"""Trunks without transplanted weights, whose features still have their initial values.

An FCN is a classifier's trunk with new score layers. If weights were not copied because of their layers' names, the
trunk keeps the values of its fillers, or zeros, and learns little at the rates of fine-tuning.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod, sqrt

import numpy as np

from fcnlite.arrays import Array
from fcnlite.description.fillers import Filler
from fcnlite.doctor.anatomy import normalized, trunk_layers
from fcnlite.doctor.finding import Finding, listed
from fcnlite.layers import Layer
from fcnlite.net import Net

LOOKED_AT = 1 << 16
"""The number of values of a weight that are examined, evenly spread; they give its deviation to 0.3 %."""
LEAST = 200
"""The smallest number of values that can be compared with a filler."""
SIGMAS = 4.0
"""The most standard errors that a filled weight may deviate; one in 16,000 deviates more."""

LEARNED = 1 / 20
"""A bias has learned if its deviation exceeds this fraction of the weight's. Published nets have 1/10 and more, a net
whose training does not progress far less."""

GAUSSIAN, UNIFORM = 3.0, 1.8
"""The kurtosis of both: fourth moment over squared second. Learned weights have longer tails and a larger kurtosis."""


@dataclass(frozen=True)
class Moments:
    """The moments of a filler's values."""

    mean: float
    deviation: float
    kurtosis: float

    def fit(self, values: Array) -> bool:
        """Whether mean, deviation and kurtosis of `values` are each within `SIGMAS` standard errors."""
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
    """The moments of the fillers that a weight may have: the described one, and xavier and msra, which builders use."""
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
    """Whether a weight cannot be distinguished from a filler's values."""
    values = spread(weight).astype(np.float64)
    return values.size >= LEAST and any(each.fit(values) for each in candidates(filler, weight.shape))


def spread(weight: Array) -> Array:
    """At most `LOOKED_AT` values of a weight, evenly spread."""
    flat = weight.reshape(-1)
    return flat[:: -(-flat.size // LOOKED_AT)]


def is_constant(weight: Array) -> bool:
    """Whether all values are equal. Compares a few first, since all may be 400 MB."""
    few = spread(weight)
    return bool((few == few[0]).all() and (weight == few[0]).all())


def _bias_learned(layer: Layer, net: Net) -> bool:
    """Whether the bias differs from its constant filler: weights of small layers may learn and still look filled."""
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
            # A fixed averaging filter may be intended; zeros are not.
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
                "Load the trunk's weights, with layers of the same names (fcnlite.surgery.transplant reports which "
                "fit), or give the layers a weight_filler such as msra.",
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
                "InnerProduct layers must be made convolutions first), or go on if you intend to start from scratch.",
            )
        )
    if from_scratch:
        findings.append(
            Finding(
                "trunk-untrained",
                "note",
                f"The weights of {listed(from_scratch)} are as a filler draws them; with BatchNorm after them they "
                "can learn from scratch.",
                "Train the net, or load trained weights.",
            )
        )
    return findings
