"""Mirroring, jitter and class balancing (paper, sections 3.4 and 4.3).

Jitter moves a picture by up to 32 pixels up or down and left or right; the mean fills what is uncovered, and its
labels are void. Class balancing gives class c the weight 1 / ln(1.1 + share of c), scaled to a mean of 1 over the
pixels: either as a factor of the loss, or as the probability to keep a pixel in the loss, relative to that of the class
with the largest weight.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from fcnlite.analysis.paper import miniature
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.miniature import Way
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.training import METRICS
from fcnlite.arrays import Array
from fcnlite.data import VOID, Dataset
from fcnlite.data.transforms import Augment
from fcnlite.description.spec import LayerSpec, NetSpec

JITTER = 32
"""The paper's jitter in pixels, of pictures whose longer side is 500."""
_ITERATIONS = 160
_PICTURES = 60
_RATE = 0.02
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


def sampled_by_class(weights: Array) -> Callable[[Array, np.random.Generator], Array]:
    """A function of labels and random numbers: class c is kept with the probability weights[c] / max(weights)."""
    keep = np.ones(VOID + 1, np.float32)
    keep[: len(weights)] = weights / weights.max()

    def sampled(label: Array, rng: np.random.Generator) -> Array:
        kept = rng.random(label.shape, np.float32) < keep[label]
        return np.where(kept, label, label.dtype.type(VOID))

    return sampled


def run(settings: Settings, page: Page) -> None:
    """Fill the page with the ways to train one net, by default of the small FCN-8s on a few generated shapes."""
    train_set, test_set = miniature.pictures(settings, _PICTURES)
    spec = miniature.net(settings, len(train_set.classes))
    given = settings.init is not None or settings.train_set is not None
    jitter = JITTER if given else round(JITTER / 500 * miniature.SIZE)
    found = shares(train_set)
    weights = class_weights(found)
    ways = (
        Way("plain", spec),
        Way("mirroring", spec, Augment(flip=True)),
        Way(f"mirroring and jitter of {jitter} pixels", spec, Augment(flip=True, shift=jitter)),
        Way("classes balanced by loss weights", balanced(spec, weights)),
        Way("classes balanced by sampling the loss", spec, label=sampled_by_class(weights)),
    )
    budget = miniature.budget(settings, iterations=_ITERATIONS, rate=_RATE)
    outcomes = {way.name: budget.run(way, train_set, test_set) for way in ways}
    plain = outcomes["plain"]
    for name in list(outcomes)[1:]:
        gains = outcomes[name].gains(plain)
        page.compare(
            f"gain in mean IU: {name}",
            "unnecessary" if "balanced" in name else "no noticeable gain",
            miniature.spread(gains, sign=True),
            miniature.verdict(gains),
        )
    page.compare("share of background in the pixels", "about 75 %", f"{100 * found[0]:.0f} %")
    page.table(("way", *METRICS), [(name, *outcome.row()) for name, outcome in outcomes.items()])
    epochs = budget.iterations * budget.batch_size / len(train_set)
    page.text(
        budget.words(train_set, test_set)
        + f"That is {epochs:.1f} epochs. "
        + ("" if settings.init else miniature.CHOSEN)
        + "The table has the mean and the deviation over the seeds, the comparison those of the differences from plain "
        "training with the same seed."
    )
    page.text(
        f"The paper's jitter is {JITTER} pixels of pictures whose longer side is 500."
        + ("" if given else f" The same share of {miniature.SIZE} pixels is {jitter}.")
        + " Weights and sampling favour rare classes in the same proportion. Both trade pixel accuracy for mean "
        "accuracy, so the mean accuracy shows what they do even where the mean IU does not move."
    )
