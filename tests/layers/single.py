"""Nets of one layer, for tests of single layer types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fcnlite.arrays import Array
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.net import Net
from tests.layers.examples import input_layer

NAN = float("nan")
INF = float("inf")


def one(
    type_: str,
    shapes: Sequence[tuple[int, ...]],
    options: dict[str, Any] | None = None,
    *,
    tops: int = 1,
    phase: str = "TEST",
    seed: int = 0,
    name: str = "layer",
) -> Net:
    """A net of one layer in float64, with inputs x0, x1, ... and tops y0, y1, ..."""
    inputs = [input_layer(f"x{i}", shape) for i, shape in enumerate(shapes)]
    bottom, top = tuple(f"x{i}" for i in range(len(shapes))), tuple(f"y{i}" for i in range(tops))
    spec = NetSpec(layers=(*inputs, LayerSpec(name, type_, bottom, top, options or {})))
    return Net(spec, phase=phase, path="plain", dtype="float64", seed=seed)


def compute(type_: str, arrays: Sequence[Any], options: dict[str, Any] | None = None, **how: Any) -> list[Array]:
    """The tops of one layer for the bottoms `arrays`."""
    net = one(type_, [np.shape(each) for each in arrays], options, **how)
    out = net.forward({f"x{i}": each for i, each in enumerate(arrays)})
    return [out[f"y{i}"] for i in range(how.get("tops", 1))]


def gradients(net: Net, arrays: Sequence[Any], dtops: Mapping[str, Any] | None = None) -> list[Array]:
    """The gradients of a net's bottoms, given those of its tops or, by default, for its loss."""
    names = [f"x{i}" for i in range(len(arrays))]
    net.forward(dict(zip(names, arrays, strict=True)), keep=True)
    net.backward(dtops, wrt=names)
    return [net.grads[name] for name in names]


def normal(*shape: int, seed: int = 0) -> Array:
    """Normally distributed numbers, equal at every call."""
    return np.asarray(np.random.default_rng(seed).normal(size=shape))


SCORES = normal(2, 4, 3, 5, seed=5)
"""Scores of two pictures for four classes."""
LABELS = np.random.default_rng(6).integers(0, 4, (2, 3, 5))
"""A class for each pixel of the scores."""
