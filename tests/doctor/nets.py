"""A net without findings, which each test changes in one way."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np

from fcnlite import surgery
from fcnlite.data import Dataset, Sample
from fcnlite.description import model_info
from fcnlite.description.model_info import ModelInfo
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.doctor import Finding
from fcnlite.models import fcn
from fcnlite.models.builder import Builder
from fcnlite.net import Net

CLASSES = 6


def small_fcn(pad: int = 20, side: int = 64, normalization: str = "VALID") -> NetSpec:
    """A small FCN like the published ones: stride 4, fc6 without pad, a skip from pool1."""
    net = Builder("small")
    net.input("data", 1, 3, side, side)
    net.input("label", 1, 1, side, side)
    net.relu("relu1", net.convolution("conv1", "data", 16, 3, pad=pad))
    net.pool("pool1", "conv1", 2, 2)
    net.relu("relu2", net.convolution("conv2", "pool1", 16, 3, pad=1))
    net.pool("pool2", "conv2", 2, 2)
    net.relu("relu6", net.convolution("fc6", "pool2", 16, 7, pad=0))
    coarse = net.upsample("upscore2", net.score("score_fr", "fc6", CLASSES), CLASSES, 2)
    skip = net.crop("score_pool1c", net.score("score_pool1", "pool1", CLASSES), coarse)
    whole = net.upsample("upscore", net.fuse("fuse", coarse, skip), CLASSES, 2)
    fcn.pixel_loss(net, net.crop("score", whole, "data"), "label", normalization)
    return net.spec()


def net_of(spec: NetSpec, info: ModelInfo | None = None, phase: str = "TRAIN") -> Net:
    """A net with bilinear upsampling and, like learned ones, weights with long tails."""
    net = Net(spec, phase=phase, info=info)
    rng = np.random.default_rng(5)
    for layer in net.layers:
        if layer.type in ("Convolution", "InnerProduct"):
            weight = net.params[layer.spec.name][0]
            fan_in = np.prod(weight.shape[1:])
            weight.data = rng.laplace(size=weight.shape) / np.sqrt(fan_in)
    surgery.interp(net)
    return net


def healthy() -> Net:
    return net_of(small_fcn())


def changed(spec: NetSpec, name: str, /, *, without: Iterable[str] = (), **options: Any) -> NetSpec:
    """`spec` with other options in one layer; `param` and `loss_weight` set those fields."""
    fields = {key: options.pop(key) for key in ("param", "loss_weight") if key in options}

    def change(layer: LayerSpec) -> LayerSpec:
        kept = {key: value for key, value in layer.options.items() if key not in without}
        return dataclasses.replace(layer, options={**kept, **options}, **fields)

    return dataclasses.replace(spec, layers=tuple(change(each) if each.name == name else each for each in spec))


def severities(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    return [(each.severity, each.id) for each in findings]


class LabelledPictures(Dataset):
    """Gray pictures with given labels."""

    splits = ("train",)

    def __init__(self, labels: Iterable[np.ndarray], classes: int) -> None:
        names = tuple(f"class {number}" for number in range(classes))
        super().__init__("labels", "train", {"label": model_info.Labels(names, ((0, 0, 0),) * classes)})
        self._labels = [np.asarray(each, np.uint8) for each in labels]

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> Sample:
        label = self._labels[index]
        return Sample({"data": np.full((*label.shape, 3), 99, np.uint8)}, {"label": label}, f"labels-{index}")
