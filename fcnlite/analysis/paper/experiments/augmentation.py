"""Mirroring, jitter and class balancing (paper, sections 3.4 and 4.3).

Jitter moves a picture by up to 32 pixels up or down and left or right. The mean fills the pixels that become free, and
their labels are void. Class balancing gives class c the weight 1 / ln(1.1 + share of c), scaled to a mean of 1 over the
pixels. The weight is either a factor of the loss, or the probability that a pixel stays in the loss, relative to the
class with the largest weight.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.tools.budget import budget, setting
from fcnlite.analysis.paper.tools.datasets import data_sets, shares
from fcnlite.analysis.paper.tools.small_nets import SMALL, small_or_given
from fcnlite.analysis.paper.tools.statistics import METRICS, compare_differences
from fcnlite.analysis.paper.tools.ways import Way, compare
from fcnlite.arrays import Array
from fcnlite.data import VOID
from fcnlite.data.augmentation import Augment
from fcnlite.description.spec import LayerSpec, NetSpec

JITTER = 32
"""The paper's jitter in pixels, of pictures whose longer side is 500."""
_ITERATIONS = 160
_SIZE = 96
_PICTURES = 60
_RATE = 0.02
_COUNTED = 200
"""The pictures in which the pixels of the classes are counted."""


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
    train_set, test_set = data_sets(settings, _SIZE, train=_PICTURES)
    spec, start = small_or_given(settings, len(train_set.classes))
    given = settings.init is not None or settings.train_set is not None
    jitter = JITTER if given else round(JITTER / 500 * _SIZE)
    found = shares(train_set)
    weights = class_weights(found)
    ways = (
        Way("plain", spec),
        Way("mirroring", spec, Augment(flip=True)),
        Way(f"mirroring and jitter of {jitter} pixels", spec, Augment(flip=True, shift=jitter)),
        Way("classes balanced by loss weights", balanced(spec, weights)),
        Way("classes balanced by sampling the loss", spec, label=sampled_by_class(weights)),
    )
    plan = budget(settings, iterations=_ITERATIONS, rate=_RATE)
    outcomes = compare(ways, start, plan, train_set, test_set)
    plain = outcomes["plain"]
    for name in list(outcomes)[1:]:
        gains = outcomes[name].gains(plain)
        compare_differences(
            page, f"gain in mean IU: {name}", "unnecessary" if "balanced" in name else "no noticeable gain", gains
        )
    if train_set.classes[0] == "background":
        page.compare("share of background in the pixels", "about 75 %", f"{100 * found[0]:.0f} %")
    page.table(("way", *METRICS), [(name, *outcome.row()) for name, outcome in outcomes.items()])
    page.text(
        setting(settings, SMALL, plan, train_set, test_set)
        + " The gains above are differences from plain training with the same seed."
    )
    page.text(
        f"The paper's jitter is {JITTER} pixels, for pictures whose longer side has 500."
        + ("" if given else f" The same share of {_SIZE} pixels is {jitter}.")
        + " Loss weights and sampling favour rare classes in the same proportion. They act most on the mean accuracy, "
        "which gives every class the same weight."
    )
    balancing = [gain for name, outcome in outcomes.items() if "balanced" in name for gain in outcome.gains(plain)]
    if settings.init is None and np.mean(balancing) > 2:
        page.text(
            "Balancing gains here, unlike in the paper. The reason is probably the short training: plain training "
            "learns the background first and has not finished with the rare classes, which balancing teaches earlier. "
            "The paper trains for at least 175 epochs. A longer training, which could confirm this, was not run."
        )
