"""Calls the engine's layers, and draws the numbers of cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fcnlite.arrays import Array
from fcnlite.description.shapes import Window
from fcnlite.description.spec import LayerSpec
from fcnlite.layers import ForwardRun, Layer, create
from fcnlite.layers.columns import Geometry

Options = Mapping[str, Any]


def integers(seed: int, *shape: int, dtype: Any = np.float32) -> Array:
    """Random whole numbers from −9 to 9, which are easy to read in a message."""
    return np.random.default_rng(seed).integers(-9, 10, shape).astype(dtype)


def forward(type: str, options: Options, bottom: Sequence[Array], params: Sequence[Array] = (), tops: int = 1) -> Any:
    """The tops of a layer, and a function from the tops' gradients to those of bottoms and parameters."""
    layer = _layer(type, options, len(bottom), tops)
    run = ForwardRun(params=[*params])
    made = layer.forward([np.ascontiguousarray(each) for each in bottom], run)

    def backward(*dtop: Array) -> tuple[list[Array | None], list[Array]]:
        """The gradients of the bottoms and of the parameters."""
        back = run.backward(layer, bottom, made)
        back.needs = [i not in layer.no_gradient for i in range(len(bottom))]
        dparams = [np.empty_like(each) for each in params]
        back.dparams = dparams
        return layer.backward([np.ascontiguousarray(each) for each in dtop], back), dparams

    return made, backward


def _layer(type: str, options: Options, bottoms: int, tops: int) -> Layer:
    bottom, top = (tuple(f"{name}{i}" for i in range(count)) for name, count in (("x", bottoms), ("y", tops)))
    return create(LayerSpec("exercise", type, bottom, top, dict(options)), "TRAIN")


def geometry(kernel_size: int, stride: int, pad: int) -> Geometry:
    """A square window."""
    window = Window(kernel_size, stride, pad)
    return Geometry(window, window)
