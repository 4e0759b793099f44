"""Mirroring, jitter and class balancing (paper, section 4.3).

Jitter moves the picture by up to 32 pixels: a crop at a random place of a picture that is padded with the mean. Class
balancing weights the loss of class c by 1 / ln(1.1 + share of c), scaled to a mean of 1 over the pixels.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fcnlite import data, models
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.training import (
    METRICS,
    begin,
    evaluate,
    fixed_statistics,
    percentages,
    shipped_trunk,
    train,
)
from fcnlite.arrays import Array
from fcnlite.data import VOID, Dataset
from fcnlite.data.transforms import Augment
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.surgery import Weights

_ITERATIONS = 150
_COUNTED = 200
"""The pictures in which the pixels of the classes are counted."""


def shares(dataset: Dataset, count: int = _COUNTED) -> Array:
    """The share of each class in the pixels of the first `count` pictures, void left out."""
    total = np.zeros(256, np.int64)
    for i in range(min(count, len(dataset))):
        total += np.bincount(np.asarray(dataset[i].label).ravel(), minlength=256)
    total[VOID] = 0
    found: Array = total[: len(dataset.classes)] / max(1, total.sum())
    return found


def class_weights(found: Array, offset: float = 1.1) -> Array:
    """1 / ln(offset + share) of each class, scaled to a mean of 1 over the pixels."""
    weights = 1 / np.log(offset + found)
    scaled: Array = weights / (weights @ found)
    return scaled


def balanced(spec: NetSpec, weights: Array) -> NetSpec:
    """`spec` whose softmax losses weight each class: InfogainLoss with a diagonal matrix."""

    def changed(layer: LayerSpec) -> LayerSpec:
        if layer.type != "SoftmaxWithLoss":
            return layer
        return replace(
            layer, type="InfogainLoss", options={**layer.options, "matrix": np.diag(weights).ravel().tolist()}
        )

    return replace(spec, layers=tuple(map(changed, spec.layers)))


def run(settings: Settings, page: Page) -> None:
    """Fill the page with four trainings of one net, by default of a small FCN-8s on shapes of 64×64 pixels."""
    train_set = settings.train_set or data.open("shapes", split="train", size=64, count=100)
    val_set = settings.val_set or data.open("shapes", split="val", size=64, count=40)
    classes = len(train_set.classes)
    start: str | Weights
    if settings.init is None:
        spec = fixed_statistics(models.describe("lite-fcn8s", classes=classes, width=1 / 8))
        start, rate, momentum = shipped_trunk(), 0.001, 0.9
        iterations, jitter = settings.iterations or _ITERATIONS, Augment(scale=(0.9, 1.1), crop=(64, 64))
    else:
        spec, start, rate, momentum = models.describe("voc-fcn32s", classes=classes), settings.init, 1e-10, 0.99
        iterations, jitter = settings.iterations or 100_000, Augment(crop=(468, 468))
    found = shares(train_set)
    ways: dict[str, tuple[NetSpec, Augment]] = {
        "plain": (spec, Augment()),
        "mirroring": (spec, Augment(flip=True)),
        "mirroring and jitter": (spec, replace(jitter, flip=True)),
        "class balancing": (balanced(spec, class_weights(found)), Augment()),
    }
    rows, mean_iu = [], {}
    for name, (described, augment) in ways.items():
        net = begin(described, train_set, start, settings.seed)
        train(net, train_set, iterations, augment=augment, seed=settings.seed, base_lr=rate, momentum=momentum)
        metrics = evaluate(net, val_set)
        mean_iu[name] = metrics.mean_iu
        rows.append((name, *percentages(metrics)))
    for name in list(ways)[1:]:
        claim = "unnecessary" if name == "class balancing" else "no noticeable gain"
        page.compare(f"gain in mean IU by {name}", claim, f"{100 * (mean_iu[name] - mean_iu['plain']):+.1f}")
    page.compare("share of background in the pixels", "about 75 %", f"{100 * found[0]:.0f} %")
    page.table(("way", *METRICS), rows)
    page.text(
        f"Data: {train_set.name}, {len(train_set)} pictures; {iterations} iterations on single pictures from the same "
        "weights. Each row is one run, and how much another seed changes it was not measured. "
        "Weights on rare classes trade pixel accuracy for mean accuracy, which the table shows."
    )
