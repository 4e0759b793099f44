"""Narrow VGG-16s with random parameters, to be written as other tools write them."""

from __future__ import annotations

import numpy as np

from fcnlite import models
from fcnlite.arrays import Array
from fcnlite.net import Net

WIDTH = 1 / 32
CLASSES = 7
SIDE = 64
"""The side of the classifiers' pictures: 2×2 on pool5, so that transposed places are noticed."""


def vgg16(seed: int = 0) -> dict[str, list[Array]]:
    """Parameters in Caffe's shapes, float32."""
    spec = models.describe("vgg16", classes=CLASSES, width=WIDTH)
    rng = np.random.default_rng(seed)
    found = {}
    for name, (weight, bias) in Net(spec).params.items():
        shape = (weight.shape[0], 16 * 4) if name == "fc6" else weight.shape
        std = (2 / (np.prod(shape) / shape[0])) ** 0.5
        found[name] = [each.astype(np.float32) for each in (rng.normal(0, std, shape), rng.normal(size=bias.shape))]
    return found
