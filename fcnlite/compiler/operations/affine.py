"""A factor and a shift for each channel, a sum, a rectifier: what no convolution takes over, in one pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from fcnlite.arrays import Array
from fcnlite.compiler.convolution.operation import Slopes
from fcnlite.compiler.convolution.problem import summand
from fcnlite.compiler.ir import BLOCK, ForwardStep, Layout, Operation, Value, blocks
from fcnlite.compiler.machine import Machine

Coefficients = Callable[[Machine], tuple[Array, Array]]
"""Returns factor and shift of every channel, in float64."""


class Affine(Operation):
    """y = rectified(factor[c] · x + shift[c] + another value). Only in inference."""

    kind = "affine map"

    def __init__(self, inputs: Sequence[Value], outputs: Sequence[Value], layers: Sequence[str]) -> None:
        super().__init__(inputs, outputs, layers)
        self.maps: list[Coefficients] = []
        """The maps of the layers, in order."""
        self.relu = False
        self.limit = math.inf
        """The largest value of the output."""
        self.slopes: Slopes | None = None

    def rectify(self, slopes: Slopes | None, limit: float) -> None:
        """End in max(x, 0), plus slopes · min(x, 0); then values above `limit` become `limit`."""
        self.relu, self.slopes, self.limit = True, slopes, limit

    @property
    def reads(self) -> Layout:
        return Layout.EITHER

    def _derived(self, machine: Machine) -> tuple[Array, Array, Array]:
        """Factor, shift and slope of each channel, for whole blocks; no slopes without a PReLU."""
        channels = self.inputs[0].shape[1]

        def make(old: object) -> tuple[Array, Array, Array]:
            factor, shift = np.ones(channels), np.zeros(channels)
            for each in self.maps:
                own_factor, own_shift = each(machine)
                factor, shift = own_factor * factor, own_factor * shift + own_shift
            slopes = [] if self.slopes is None else [self.slopes.of_channels(channels, machine)]
            found = [np.zeros(blocks(channels) * BLOCK, np.float32) for _ in (factor, shift, *slopes)]
            for to, values in zip(found, (factor, shift, *slopes), strict=True):
                to[:channels] = values
            return found[0], found[1], found[2] if slopes else np.empty(0, np.float32)

        made: tuple[Array, Array, Array] = machine.derive(("affine", self.layers), self.layers, make)
        return made

    def forward(self, bottom: list[Array], top: list[Array], step: ForwardStep, machine: Machine) -> list[Array]:
        (x, *add), (y,) = bottom, top
        factor, shift, slopes = self._derived(machine)
        if self.outputs[0].blocked:
            machine.kernels.affine(
                x, factor, shift, slopes, summand(add[0] if add else None), y, self.relu, self.limit, machine.threads
            )
            return top
        factor, shift, slopes = (each[: x.shape[1], None, None] for each in (factor, shift, slopes))
        np.multiply(x, factor, out=y)
        y += shift
        if add:
            y += add[0]
        if self.relu:
            negative = np.minimum(y, 0) * slopes if slopes.size else 0
            np.maximum(y, 0, out=y)
            y += negative
        if self.limit < math.inf:
            np.minimum(y, np.float32(self.limit), out=y)
        return top

    def describe(self) -> str:
        rectifier = "PReLU" if self.slopes and self.slopes.prelu else "ReLU" if self.limit == math.inf else "ReLU6"
        words = ("affine map", self.maps), ("sum", len(self.inputs) > 1), (rectifier, self.relu)
        return ", ".join(word for word, there in words if there)
