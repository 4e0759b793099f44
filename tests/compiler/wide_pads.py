"""Nets that begin with a wide pad: VGG's first stages, narrow, and chains of any windows."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from fcnlite.description.spec import LayerSpec
from fcnlite.net import Net
from tests.compiler.path_comparison import conv, filled, in_place, normal, pool, spec_of
from tests.random_nets import FLAG, Draw


def rectified(name: str, bottom: str, outputs: int, **options: Any) -> tuple[LayerSpec, ...]:
    return conv(name, bottom, outputs, **options), in_place("ReLU", name)


def trunk(pad: int = 100, skips: bool = True, width: int = 4) -> tuple[LayerSpec, ...]:
    """VGG's first three stages, narrow, and the skip of FCN-8s from them."""
    layers = [*rectified("conv1_1", "data", width, pad=[pad]), *rectified("conv1_2", "conv1_1", width, pad=[1])]
    below = "pool1"
    layers.append(pool("pool1", "conv1_2"))
    for stage, convolutions in ((2, 2), (3, 3)):
        for i in range(1, convolutions + 1):
            name = f"conv{stage}_{i}"
            layers += rectified(name, below, width, pad=[1])
            below = name
        layers.append(pool(f"pool{stage}", below))
        below = f"pool{stage}"
    layers += rectified("conv4_1", "pool3", width, pad=[1])
    layers.append(pool("pool4", "conv4_1"))
    layers += rectified("fc6", "pool4", width, kernel_size=7)
    if skips:
        layers += [conv("score_pool3", "pool3", 2, 1), conv("score_pool4", "pool4", 2, 1)]
    return tuple(layers)


def net_of(layers: tuple[LayerSpec, ...], *size: int) -> Net:
    return filled(spec_of((1, 3, *size), *layers))


def feed(*size: int, batch: int = 1) -> dict[str, np.ndarray]:
    return {"data": normal(3, batch, 3, *size)}


@st.composite
def chains(draw: Draw) -> tuple[LayerSpec, ...]:
    """Convolutions and poolings with any windows after a wide pad, and up to two readers."""
    kernel = draw(st.integers(1, 7))
    layers = [
        conv("c0", "data", 3, kernel, pad=[draw(st.integers(8, 60)), draw(st.integers(8, 60))],
             stride=[draw(st.sampled_from([1, 1, 2, 4]))], dilation=[draw(st.sampled_from([1, 1, 2]))])
    ]  # fmt: skip
    below = "c0"
    for i in range(1, draw(st.integers(2, 6))):
        if draw(FLAG):
            kernel = draw(st.integers(1, 4))
            layers += [
                pool(f"p{i}", below, kernel, draw(st.integers(1, kernel)),
                     pad_h=draw(st.integers(0, kernel - 1)), pad_w=draw(st.integers(0, kernel - 1)),
                     round_mode=draw(st.sampled_from(["CEIL", "CEIL", "FLOOR"])))
            ]  # fmt: skip
            below = f"p{i}"
        else:
            kernel = draw(st.integers(1, 5))
            options = {"stride": [draw(st.sampled_from([1, 1, 1, 2]))], "dilation": [draw(st.sampled_from([1, 1, 2]))]}
            pad = draw(st.one_of(st.integers(0, kernel), st.integers(0, kernel), st.integers(8, 20)))
            both = rectified(f"c{i}", below, 3, kernel_size=kernel, pad=[pad], **options)
            layers += both[: draw(st.integers(1, 2))]
            below = f"c{i}"
    layers += [conv("last", below, 3, draw(st.integers(1, 3)), pad=[1])]
    if draw(FLAG):
        layers += [conv("skip", below, 2, 1)]
    return tuple(layers)
