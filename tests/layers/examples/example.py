"""One layer with its options, shapes and values, as the common tests draw it."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.layers.base import Layer
from fcnlite.layers.registry import create
from fcnlite.net import Net


def input_layer(name: str, shape: Shape) -> LayerSpec:
    return LayerSpec(name, "Input", top=(name,), options={"shape": [{"dim": list(shape)}]})


@dataclass(frozen=True)
class Example:
    """One layer, called `layer`, with its inputs `x0`, `x1`, ... and its tops `y0`, `y1`, ..."""

    type: str
    shapes: tuple[Shape, ...]
    options: dict[str, Any] = field(default_factory=dict)
    tops: int = 1
    phase: str = "TRAIN"
    classes: int = 0
    """If not 0, the second bottom holds labels below this number, and also 255 if the options ignore it."""
    seed: int = 0
    places: int = 0
    """If not 0, the second bottom holds different places below this number for the values of each plane."""

    positive: bool = False
    """Whether all values are above 0."""
    kinks: tuple[float, ...] = ()
    """Values, besides 0, that no value may be close to."""

    @property
    def bottoms(self) -> list[str]:
        return [f"x{i}" for i in range(len(self.shapes))]

    @property
    def top_names(self) -> list[str]:
        return [f"y{i}" for i in range(self.tops)]

    def spec(self) -> NetSpec:
        inputs = [input_layer(name, shape) for name, shape in zip(self.bottoms, self.shapes, strict=True)]
        layer = LayerSpec("layer", self.type, tuple(self.bottoms), tuple(self.top_names), self.options)
        return NetSpec("one", (*inputs, layer), force_backward=True)

    def layer(self) -> Layer:
        return create(self.spec().layer("layer"), self.phase)

    def net(self, dtype: str) -> Net:
        net = Net(self.spec(), phase=self.phase, path="plain", dtype=dtype, seed=self.seed)
        for parameter, values in zip(net.params.get("layer", []), self.param_values(), strict=True):
            parameter.data = values
        return net

    def param_values(self) -> list[Array]:
        """Values for the parameters; all positive for BatchNorm and BN, whose parameters include a variance."""
        rng = np.random.default_rng((self.seed, 1))
        values = [rng.normal(size=wanted.shape) for wanted in self.layer().params(*self.shapes)]
        return [np.abs(each) + 0.5 for each in values] if self.type in ("BatchNorm", "BN") else values

    def inputs(self) -> dict[str, Array]:
        """Values in −2..2, not close to each other or to 0, where some layers have kinks."""
        rng = np.random.default_rng((self.seed, 2))
        total = sum(prod(shape) for shape in self.shapes)
        values = (rng.permutation(total) - total // 2 + 0.5) * (4 / total)
        if self.positive:
            values += 2.5
        for kink in self.kinks:
            values[np.abs(values - kink) < 0.01] += 0.02
        arrays, start = {}, 0
        for name, shape in zip(self.bottoms, self.shapes, strict=True):
            arrays[name] = values[start : start + prod(shape)].reshape(shape)
            start += prod(shape)
        if self.classes:
            labels = rng.integers(0, self.classes, self.shapes[1]).astype(np.float64)
            if self.options.get("ignore_label") == 255:
                labels[rng.random(self.shapes[1]) < 0.3] = 255
            arrays["x1"] = labels
        if self.places:
            n, channels, *plane = self.shapes[1]
            drawn = [rng.permutation(self.places)[: prod(plane)] for _ in range(n * channels)]
            arrays["x1"] = np.array(drawn, np.float64).reshape(self.shapes[1])
        return arrays
