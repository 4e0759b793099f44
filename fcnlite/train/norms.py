"""How large gradients and weights are: what explodes or dies shows here before it shows in the loss."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fcnlite.net import Net


@dataclass(frozen=True)
class Norms:
    """Euclidean norms, all parameters of a layer together, by layer; of those that learn."""

    gradients: dict[str, float]
    weights: dict[str, float]

    @staticmethod
    def of(net: Net, passes: int = 1) -> Norms:
        """After a backward; a gradient that was summed over several passes is divided by their number."""
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
        """Of all layers together."""
        return math.hypot(*self.gradients.values())

    @property
    def weight(self) -> float:
        return math.hypot(*self.weights.values())


def _square(array: np.ndarray) -> float:
    return float(np.vdot(array, array))
