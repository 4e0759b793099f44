"""The classifier whose trunk the small nets start from: trained on whole pictures, as VGG-16 was on ImageNet.

A picture shows one shape, and its class is that of the shape. The shipped weights/shapes-classifier.h5 is what
`train_classifier` gives for the default settings of the experiment `pre-training`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

import numpy as np

from fcnlite import data, models
from fcnlite.analysis.paper.training import WIDTH
from fcnlite.arrays import Array
from fcnlite.data import VOID, Dataset, Loader
from fcnlite.data.dataset import read_sample
from fcnlite.data.loader import blobs
from fcnlite.description.model_info import ModelInfo
from fcnlite.models.lite import CLASSIFIED
from fcnlite.net import Net
from fcnlite.solver import AdamW

ITERATIONS = 1000
_BATCH = 8
_RATE, _DECAY, _POWER = 0.002, 0.02, 0.9


def single_shapes(split: str, count: int) -> Dataset:
    """Pictures of the classifier's size, each of one shape."""
    return data.open("shapes", split=split, size=CLASSIFIED, count=count, single=True)


def shape_class(label: Array) -> Array:
    """The class of the one shape in each label map of N×1×H×W, counted from 0 without the background: N."""
    found: Array = np.where(label == VOID, 0, label).max(axis=(1, 2, 3)).astype(np.int64) - 1
    return found


def train_classifier(dataset: Dataset, iterations: int = ITERATIONS, seed: int = 0) -> tuple[Net, list[float]]:
    """A classifier of the shapes of `dataset`, in phase TEST, and the loss of each iteration."""
    classes = dataset.classes[1:]
    net = models.build("lite-classifier", classes=len(classes), width=WIDTH, phase="TRAIN", seed=seed)
    solver = AdamW(net, base_lr=_RATE, lr_policy="poly", power=_POWER, max_iter=iterations, weight_decay=_DECAY)
    loader = Loader(dataset, batch_size=_BATCH, preprocessing=net.info.preprocessing, seed=seed)
    losses = []
    with closing(loader.batches()) as batches:
        for _ in range(iterations):
            batch = next(batches)
            losses.append(solver.step(data=batch["data"], label=shape_class(batch["label"])))
    record = {
        "options": {"model": "lite-classifier", "width": WIDTH, "data": dataset.name, "iterations": iterations},
        "seed": seed,
    }
    net.info = ModelInfo(net.info.preprocessing, classes, dataset.colors[1 : len(classes) + 1], record)
    return net.share("TEST"), losses


def classify(net: Net, dataset: Dataset, indices: Sequence[int]) -> tuple[Array, Array]:
    """The classes that the net gives to these pictures, and the true ones: N each."""
    samples = [blobs(read_sample(dataset, i), net.info.preprocessing) for i in indices]
    scores = net.forward(data=np.stack([each["data"] for each in samples]), outputs=["fc8"])["fc8"]
    return scores.argmax(axis=1), shape_class(np.stack([each["label"] for each in samples]))


def accuracy(net: Net, dataset: Dataset, batch_size: int = 20) -> float:
    """The share of the pictures of `dataset` whose class the net finds."""
    right = 0
    for start in range(0, len(dataset), batch_size):
        found, true = classify(net, dataset, range(start, min(start + batch_size, len(dataset))))
        right += int(np.count_nonzero(found == true))
    return right / len(dataset)
