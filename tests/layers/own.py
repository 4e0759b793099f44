"""Nets with a custom layer in the middle, registered for the duration of a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from fcnlite.description.fillers import Filler
from fcnlite.formats.caffe import parse_net
from fcnlite.layers import BackwardRun, ForwardRun, Layer, ParamShape, registry
from fcnlite.net import Net

Arrays = list[np.ndarray]


class Scaled(Layer):
    """y = a · x, with one number a for each channel."""

    type = "Scaled"
    backward_reads = frozenset({"bottom"})

    def params(self, *bottom: tuple[int, ...]) -> list[ParamShape]:
        return [ParamShape((bottom[0][1],), Filler(value=3.0))]

    def forward(self, bottom: Arrays, run: ForwardRun) -> Arrays:
        return [bottom[0] * run.params[0][:, None, None]]

    def backward(self, dtop: Arrays, run: BackwardRun) -> list[np.ndarray | None]:
        if run.dparams[0] is not None:
            run.dparams[0][...] = (dtop[0] * run.bottom[0]).sum((0, 2, 3))
        return [dtop[0] * run.params[0][:, None, None]]


@contextmanager
def registered(*classes: type[Layer]) -> Iterator[None]:
    """Register these classes within the block."""
    before = dict(registry._registry)
    registry._registry.update({each.type: each for each in classes})
    try:
        yield
    finally:
        registry._registry.clear()
        registry._registry.update(before)


def net_with(cls: type[Layer], path: str, dtype: str = "float32", options: str = "") -> Net:
    """conv, then `cls`, then a rectifier in place and a loss; the weights are the same on both paths."""
    text = f"""
    layer {{ name: "data" type: "Input" top: "data" top: "label"
             input_param {{ shape {{ dim: 2 dim: 2 dim: 6 dim: 5 }} shape {{ dim: 2 dim: 3 dim: 6 dim: 5 }} }} }}
    layer {{ name: "conv" type: "Convolution" bottom: "data" top: "conv"
             convolution_param {{ num_output: 3 kernel_size: 3 pad: 1 weight_filler {{ type: "xavier" }} }} }}
    layer {{ name: "mine" type: "{cls.type}" bottom: "conv" top: "mine" {options} }}
    layer {{ name: "relu" type: "ReLU" bottom: "mine" top: "mine" }}
    layer {{ name: "loss" type: "EuclideanLoss" bottom: "mine" bottom: "label" top: "loss" }}
    """
    with registered(cls):
        return Net(parse_net(text), path=path, dtype=dtype, phase="TRAIN")


def batch() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    return {
        "data": rng.normal(size=(2, 2, 6, 5)).astype(np.float32),
        "label": rng.normal(size=(2, 3, 6, 5)).astype(np.float32),
    }
