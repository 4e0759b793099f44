"""What shape and context tell: foreground or background masked in training or test (PAMI, section 6.1, table 8).

The foreground is every pixel whose label is not background, void included. Masked pixels have the mean of the pictures,
which is 0 in the input of the net. With both masked, the foreground is white, so the input shows only the outlines. The
scores are of the object classes alone, without background.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from fcnlite import data
from fcnlite.analysis.paper.budget import budget, setting, with_spread
from fcnlite.analysis.paper.derived import Derived, check_background, held
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.figures import predictions, sheet, shown, truths
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.small import COARSEST, begin_small, fcn_32s, log_shares, small_fcn
from fcnlite.analysis.paper.training import begin, evaluate, shipped_trunk
from fcnlite.arrays import Array
from fcnlite.data import Dataset
from fcnlite.data.sample import Sample
from fcnlite.data.transforms import mean_pixel
from fcnlite.segmentation.metrics import Metrics

CONTEXT = 0.75
"""The probability that a shape belongs to the class whose hue the background has."""
_SIZE = 64
_PICTURES = (1000, 100)
"""The number of pictures for training and for the test."""
_ITERATIONS = 250
_RATE = 0.4
_SEEDS = 2


class Keep(NamedTuple):
    """The part of a picture that a net sees."""

    foreground: bool
    background: bool


class Row(NamedTuple):
    """A row of table 8."""

    name: str
    train: Keep
    test: Keep
    paper: float
    """Mean IU of the object classes in percent, on VOC."""


ROWS = (
    Row("Reference", Keep(True, True), Keep(True, True), 84.8),
    Row("Reference-FG", Keep(True, True), Keep(True, False), 81.0),
    Row("Reference-BG", Keep(True, True), Keep(False, True), 19.8),
    Row("FG-only", Keep(True, False), Keep(True, False), 76.1),
    Row("BG-only", Keep(False, True), Keep(False, True), 37.8),
    Row("Shape", Keep(False, False), Keep(False, False), 29.1),
)


def masked(image: Array, label: Array, keep: Keep, fill: Array) -> Array:
    """H×W×3 uint8 `image` with `fill` in the parts that `keep` masks; if it masks both, white in the foreground."""
    foreground = label != 0
    kept = np.where(foreground, keep.foreground, keep.background)
    found: Array = np.where(kept[:, :, None], image, fill).astype(image.dtype)
    if not (keep.foreground or keep.background):
        found[foreground] = 255
    return found


def seen(dataset: Dataset, keep: Keep) -> Dataset:
    """`dataset` with the pictures masked but for the part in `keep`."""
    fill = mean_pixel(dataset.preprocessing)

    def change(sample: Sample, index: int) -> Sample:
        (blob,) = sample.images
        return replace(sample, images={blob: masked(sample.image, sample.label, keep, fill)})

    return Derived(dataset, change)


def object_iu(metrics: Metrics) -> float:
    """The mean IU of the classes other than background, which is class 0."""
    ious = np.array(metrics.iu[1:])
    return float(np.nanmean(ious)) if np.isfinite(ious).any() else float("nan")


def run(settings: Settings, page: Page) -> None:
    """Fill the page with the six rows of table 8, by default of small nets on shapes with a context."""
    train_set = settings.train_set or held(
        data.open("shapes", split="train", size=_SIZE, count=_PICTURES[0], context=CONTEXT)
    )
    test_set = settings.val_set or held(
        data.open("shapes", split="test", size=_SIZE, count=_PICTURES[1], context=CONTEXT)
    )
    for each in (train_set, test_set):
        check_background(each, page.name)
    classes = len(train_set.classes)
    plan = budget(settings, iterations=_ITERATIONS, rate=_RATE, seeds=_SEEDS)
    found: dict[str, list[Metrics]] = {row.name: [] for row in ROWS}
    columns: dict[str, list[Array]] = {}
    for keep in dict.fromkeys(row.train for row in ROWS):
        pictures = seen(train_set, keep)
        for seed in plan.seeds:
            if settings.init is None:
                biases = {COARSEST: log_shares(train_set)}
                net = begin_small(small_fcn(classes), pictures, shipped_trunk(), biases, seed)
            else:
                net = begin(fcn_32s(classes), pictures, settings.init, seed)
            plan.train(net, pictures, seed)
            for row in (each for each in ROWS if each.train == keep):
                found[row.name].append(evaluate(net, seen(test_set, row.test)))
                (columns[row.name],) = predictions(net, seen(test_set, row.test)).values()
    scores = {name: [100 * object_iu(each) for each in metrics] for name, metrics in found.items()}
    rows = []
    for row in ROWS:
        page.compare(f"mean IU of objects, {row.name}", row.paper, with_spread(scores[row.name]))
        backgrounds = with_spread([100 * each.iu[0] for each in found[row.name]])
        rows.append((row.name, *_words(row.train), *_words(row.test), with_spread(scores[row.name]), backgrounds))
    page.text(setting(settings, train_set, test_set, plan))
    if settings.train_set is None:
        page.text(
            "Each generated picture has a class whose hue its background has, and each shape is of this class with a "
            f"probability of {CONTEXT}, else of any class: a context, as cows stand on grass."
        )
    page.table(
        ("row", "train: objects", "background", "test: objects", "background", "IU of objects", "IU of background"),
        rows,
    )
    inputs = [[sample.image for sample in shown(seen(test_set, row.test))] for row in ROWS]
    page.picture("inputs", sheet(inputs), f"What the nets see in the test: {', '.join(row.name for row in ROWS)}.")
    found_there = [*(columns[row.name] for row in ROWS), truths(test_set)]
    page.picture("predictions", sheet(found_there), "What they find there, in the same order; the truth comes last.")
    page.heading("What it shows")
    page.text(_findings({name: float(np.mean(values)) for name, values in scores.items()}))


def _words(keep: Keep) -> tuple[str, str]:
    foreground, background = ("keep" if each else "mask" for each in keep)
    return foreground, background


def _findings(percent: dict[str, float]) -> str:
    collapse = "collapses" if percent["Reference-BG"] < percent["Reference"] / 2 else "does not collapse"
    learns = "finds many" if percent["BG-only"] > 1.2 * percent["Reference-BG"] else "finds no more"
    context = "more" if percent["BG-only"] > percent["Shape"] else "less"
    order = "as in the paper" if percent["BG-only"] > percent["Shape"] else "unlike in the paper"
    return (
        f"A net that has seen objects in training {collapse} if they are masked in the test "
        f"({percent['Reference']:.1f} to {percent['Reference-BG']:.1f}). A net that never saw a pixel of an object "
        f"{learns} of them ({percent['BG-only']:.1f}). The outline alone gives {percent['Shape']:.1f}; the background "
        f"around it tells {context} than that, {order}. A masked background gives {percent['Reference-FG']:.1f} if "
        f"only the test masks it and {percent['FG-only']:.1f} if training masks it too. "
    )
