"""Weights to convert, and functions that read the output of `python -m fcnlite.convert`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fcnlite import models
from fcnlite.arrays import Array
from fcnlite.description.fillers import bilinear_kernel
from fcnlite.net import Net

if TYPE_CHECKING:
    from tests.cli.conftest import Ended
Weights = dict[str, list[Array]]
RNG = np.random.default_rng(0)
TRUNK = [f"conv{stage}_{i}" for stage, count in enumerate((2, 2, 3, 3, 3), 1) for i in range(1, count + 1)]


def weights_of(net: Net) -> Weights:
    return {name: [each.array for each in parameters] for name, parameters in net.params.items()}


def random_weights(name: str, classes: int | list[int] = 3, width: float = 1 / 32) -> Weights:
    shapes = weights_of(Net(models.describe(name, classes=classes, width=width), phase="TRAIN"))
    return {
        layer: [RNG.normal(0, (2 / each[0].size * len(each[0])) ** 0.5, array.shape).astype("f4") for array in each]
        for layer, each in shapes.items()
    }


def rows(ended: Ended) -> dict[str, str]:
    """The outcome of each layer in the table."""
    assert (ended.status, ended.err) == (0, "")
    heading, *lines = ended.out.split("\n\n")[0].splitlines()
    column = heading.index("outcome")
    return {line.split()[0]: line[column:] for line in lines}


def count_line(ended: Ended) -> str:
    return ended.out.split("\n\n")[1].splitlines()[0]


def assert_bilinear(net: Net) -> None:
    for layer in net.layers:
        if layer.type == "Deconvolution":
            weight = net.params[layer.spec.name][0].array
            kernel = bilinear_kernel(weight.shape[2])
            for i, j in np.ndindex(weight.shape[:2]):
                np.testing.assert_allclose(weight[i, j], kernel * (i == j), rtol=1e-6)


DATA_LAYER_NET = """
layer { name: "data" type: "Data" top: "data" top: "label"
  data_param { source: "lmdb" batch_size: 50 }
  transform_param { crop_size: 12 mean_value: 1 mean_value: 2 mean_value: 3 scale: 0.5 } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip" inner_product_param { num_output: 5 } }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy" include { phase: TEST } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""
