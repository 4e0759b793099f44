"""What shape and context tell: foreground or background masked in training or test (PAMI, section 6.1, table 8).

The foreground is every pixel whose label is not background, void included. Masked pixels get the mean of the pictures,
which is 0 in the input of the net. If both parts are masked, the foreground is white, so the input shows outlines only.
The mean IU is that of the object classes, without background.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.tools.budget import budget, setting
from fcnlite.analysis.paper.tools.datasets import Derived, check_background, data_sets, log_shares
from fcnlite.analysis.paper.tools.figures import class_colors, predictions, sheet, shown, truths
from fcnlite.analysis.paper.tools.nets import reference_fcn
from fcnlite.analysis.paper.tools.small_nets import COARSEST, SHALLOW, shallow_fcn, shipped_trunk
from fcnlite.analysis.paper.tools.statistics import spread
from fcnlite.analysis.paper.tools.training import begin, evaluate
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
_ITERATIONS = 700
_RATE = 0.4
_SEEDS = 2
_LEAST = 5
"""The least mean IU in percent of a reference net that has learned to find objects."""


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
    train, test = _PICTURES
    train_set, test_set = data_sets(settings, _SIZE, train=train, test=test, hold=True, context=CONTEXT)
    for each in (train_set, test_set):
        check_background(each, page.name)
    classes = len(train_set.classes)
    plan = budget(settings, iterations=_ITERATIONS, rate=_RATE, seeds=_SEEDS, batch_size=8, falling=True)
    found: dict[str, list[Metrics]] = {row.name: [] for row in ROWS}
    columns: dict[str, list[Array]] = {}
    for keep in dict.fromkeys(row.train for row in ROWS):
        pictures = seen(train_set, keep)
        for seed in plan.seeds:
            if settings.init is None:
                biases = {COARSEST: log_shares(train_set)}
                net = begin(shallow_fcn(classes), pictures, shipped_trunk(), seed, biases)
            else:
                net = begin(reference_fcn(classes), pictures, settings.init, seed)
            plan.train(net, pictures, seed)
            for row in (each for each in ROWS if each.train == keep):
                found[row.name].append(evaluate(net, seen(test_set, row.test)))
                (columns[row.name],) = predictions(net, seen(test_set, row.test)).values()
    scores = {name: [100 * object_iu(each) for each in metrics] for name, metrics in found.items()}
    rows = []
    for row in ROWS:
        page.compare(f"mean IU of objects, {row.name}", row.paper, spread(scores[row.name]))
        backgrounds = spread([100 * each.iu[0] for each in found[row.name]])
        rows.append((row.name, *_words(row.train), *_words(row.test), spread(scores[row.name]), backgrounds))
    page.text(setting(settings, SHALLOW, plan, train_set, test_set))
    if settings.train_set is None:
        page.text(
            "The background of each generated picture has the hue of one class. A shape has this class with a "
            f"probability of {CONTEXT}, else any class: this is the context, as grass is for cows. Half of the shapes "
            "have the outline of a random class, as objects are seen from any side. The texture is always that of the "
            "class."
        )
    page.table(
        ("row", "train: objects", "background", "test: objects", "background", "IU of objects", "IU of background"),
        rows,
    )
    inputs = [[sample.image for sample in shown(seen(test_set, row.test))] for row in ROWS]
    page.picture(
        "inputs", sheet(inputs), f"What the nets see in the test, from the left: {', '.join(row.name for row in ROWS)}."
    )
    found_there = [*(columns[row.name] for row in ROWS), truths(test_set)]
    page.picture("predictions", sheet(found_there), "What they find there, in the same order, and the truth.")
    page.legend(class_colors(test_set.classes, test_set.colors))
    page.heading("What it shows")
    page.text(_findings({name: float(np.mean(values)) for name, values in scores.items()}))


def _words(keep: Keep) -> tuple[str, str]:
    foreground, background = ("keep" if each else "mask" for each in keep)
    return foreground, background


def _findings(percent: dict[str, float]) -> str:
    """What the rows show, from their mean IU of objects in percent."""
    if not percent["Reference"] >= _LEAST:  # or NaN, for a test set without objects
        return (
            f"The reference net finds hardly any object: its mean IU is {percent['Reference']:.1f}. Train longer, with "
            "more --iterations, to compare the rows."
        )
    collapse = "falls" if percent["Reference-BG"] < percent["Reference"] / 2 else "does not fall by half"
    if percent["BG-only"] > percent["Shape"]:
        context = "higher, as in the paper"
    else:
        context = "not higher, unlike in the paper"
    if percent["Reference-FG"] > percent["FG-only"]:
        mask = "the first is higher, as in the paper."
    elif percent["Reference-FG"] == percent["FG-only"]:
        mask = "both are equal."
    else:
        mask = (
            "the second is higher, unlike in the paper. This may be because a net that learns with masks can take the "
            "edge of the mask for that of the object, while masked pictures are new to a net that learned without."
        )
    return (
        f"If objects are masked in the test alone, the mean IU {collapse}, from {percent['Reference']:.1f} to "
        f"{percent['Reference-BG']:.1f}. A net that never sees a pixel of an object reaches "
        f"{percent['BG-only']:.1f} (BG-only). Outlines alone give {percent['Shape']:.1f} (Shape). BG-only sees the "
        f"same outlines, as holes, and the background too: it is {context}. With the background masked, the mean IU is "
        f"{percent['Reference-FG']:.1f} if only the test masks it, and {percent['FG-only']:.1f} if training masks it "
        f"too: {mask}"
    )
