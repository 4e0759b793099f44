"""Norms of gradients and weights, which show explosion and decay before the loss does."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fcnlite.net import Net


@dataclass(frozen=True)
class Norms:
    """The Euclidean norms of the learnable parameters, by layer, over all parameters of the layer together."""

    gradients: dict[str, float]
    weights: dict[str, float]

    @staticmethod
    def of(net: Net, passes: int = 1) -> Norms:
        """The norms after a backward pass. Gradients that sum over several `passes` are divided by their number."""
        squares: dict[str, tuple[float, float]] = {}
        for name, parameter in net.learnable():
            layer = name.rpartition("[")[0]
            gradient, weight = squares.get(layer, (0.0, 0.0))
            squares[layer] = (gradient + _square(parameter.grad), weight + _square(parameter.array))
        return Norms(
            {layer: math.sqrt(each) / passes for layer, (each, _) in squares.items()},
            {layer: math.sqrt(each) for layer, (_, each) in squares.items()},
        )

    @property
    def gradient(self) -> float:
        """The norm over all layers together."""
        return math.hypot(*self.gradients.values())

    @property
    def weight(self) -> float:
        return math.hypot(*self.weights.values())


def _square(array: np.ndarray) -> float:
    return float(np.vdot(array, array))
