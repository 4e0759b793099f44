"""What shape and context tell: foreground or background masked in training or test (PAMI, section 6.1, table 8).

The foreground is every pixel whose label is not background. Masked pixels have the mean of the pictures, which is 0 in
the input of the net. With both masked, the input shows only which pixels are foreground. The scores are of the object
classes alone, without background.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from fcnlite import data
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.short_training import Example, predict, small_fcn, train
from fcnlite.arrays import Array
from fcnlite.data import VOID, Dataset
from fcnlite.data.loader import blobs
from fcnlite.data.transforms import mean_pixel
from fcnlite.description.spec import Preprocessing
from fcnlite.segmentation.metrics import Metrics, confusion

INPUT_SCALE = 1 / 64
"""The factor on pictures after the mean is subtracted, which makes their deviation about 1."""
_SIZE = 64
_PICTURES = (400, 100)
"""The number of pictures for training and for the test."""
_ITERATIONS = 800
"""With 400, Reference-FG is still above FG-only and Shape, as in the paper; with 800 it is below both."""


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
    """H×W×3 uint8 `image` with `fill` in the parts that `keep` masks; if it masks both, white in the foreground.

    Void pixels belong to no part: they are masked if either is.
    """
    if keep.foreground and keep.background:
        return image
    foreground = (label != 0) & (label != VOID)
    kept = (foreground & keep.foreground) | ((label == 0) & keep.background)
    found: Array = np.where(kept[:, :, None], image, fill).astype(image.dtype)
    if not (keep.foreground or keep.background):
        found[foreground] = 255
    return found


def object_iu(matrix: Array) -> float:
    """The mean IU of the classes other than background, which is class 0."""
    ious = np.array(Metrics.from_matrix(matrix).iu[1:])
    return float(np.nanmean(ious)) if np.isfinite(ious).any() else float("nan")


def run(settings: Settings, page: Page) -> None:
    """Fill the page with the six rows of table 8, on generated shapes and a small net trained from scratch."""
    train_set = data.open("shapes", split="train", size=_SIZE, count=_PICTURES[0], seed=settings.seed)
    test_set = data.open("shapes", split="test", size=_SIZE, count=_PICTURES[1], seed=settings.seed)
    iterations = settings.iterations or _ITERATIONS
    spec = small_fcn(len(train_set.classes), _SIZE)
    nets = {
        keep: train(spec, _examples(train_set, keep), iterations, seed=settings.seed)[0]
        for keep in dict.fromkeys(row.train for row in ROWS)
    }
    rows, scores = [], {}
    for row in ROWS:
        examples = _examples(test_set, row.test)
        matrix = np.zeros((len(test_set.classes),) * 2, np.int64)
        for example, prediction in zip(examples, predict(nets[row.train], examples), strict=True):
            matrix += confusion(example["label"][0], prediction, len(matrix))
        scores[row.name] = object_iu(matrix)
        page.compare(f"mean IU of objects, {row.name}", row.paper, f"{100 * scores[row.name]:.1f}")
        ious = Metrics.from_matrix(matrix).iu
        rows.append((row.name, *_words(row.train), *_words(row.test), *(f"{100 * iu:.1f}" for iu in ious)))
    page.text(
        f"Data: {len(train_set)} generated pictures for training and {len(test_set)} for the test, of {_SIZE}×{_SIZE} "
        f"pixels; a small net with one skip, {iterations} iterations from scratch for each of the four ways to mask "
        "the training pictures. The paper trains FCN-32s on VOC, so only the order of the rows can be compared."
    )
    page.table(
        ("row", "train: objects", "background", "test: objects", "background", *(f"IU {c}" for c in test_set.classes)),
        rows,
    )
    page.heading("What it shows")
    page.text(_findings(scores))
    sample = test_set[0]
    fill = mean_pixel(test_set.preprocessing)
    for name, keep in {row.name: row.test for row in ROWS if row.train == row.test}.items():
        page.picture(name.lower(), masked(sample.image, sample.label, keep, fill), f"A test picture as {name} sees it.")


def preprocessing_of(dataset: Dataset) -> Preprocessing:
    """The preprocessing of a data set with the input scaled to a deviation of about 1, for training from scratch."""
    return replace(dataset.preprocessing, scale=INPUT_SCALE)


def _examples(dataset: Dataset, keep: Keep) -> list[Example]:
    preprocessing = preprocessing_of(dataset)
    fill = mean_pixel(preprocessing)
    found = []
    for index in range(len(dataset)):
        sample = dataset[index]
        picture = masked(sample.image, sample.label, keep, fill)
        found.append(blobs(replace(sample, images={"data": picture}), preprocessing))
    return found


def _words(keep: Keep) -> tuple[str, str]:
    foreground, background = ("keep" if each else "mask" for each in keep)
    return foreground, background


def _findings(scores: dict[str, float]) -> str:
    percent = {name: 100 * score for name, score in scores.items()}
    collapse = "falls" if percent["Reference-BG"] < percent["Reference"] / 2 else "does not fall as in the paper"
    learns = "finds more" if percent["BG-only"] > percent["Reference-BG"] else "finds no more"
    context = "more" if percent["BG-only"] > percent["Shape"] else "less"
    return (
        f"A net that has seen objects in training {collapse} if they are masked in the test "
        f"({percent['Reference']:.1f} to {percent['Reference-BG']:.1f}). A net that never saw a pixel of an object "
        f"{learns} ({percent['BG-only']:.1f}): the hole in the background has the outline of the object. The outline "
        f"alone, without any texture, gives {percent['Shape']:.1f}; the background around it gives {context} than "
        "that. In the paper BG-only is above Shape: the background is a context, since cows stand on grass. The "
        "background of the generated shapes does not depend on their classes, so it can tell nothing beyond the "
        "outline. The outlines are also harder to read in BG-only, because touching objects become one hole, while "
        "void pixels separate them in Shape, and because the colour of the background may be near the mean. A masked "
        f"background gives {percent['Reference-FG']:.1f} if only the test masks it and {percent['FG-only']:.1f} if "
        "training masks it too: the edge of the mask is then the edge of the object, which the net can learn to use. "
        "In the paper Reference-FG is above FG-only; here their order depends on the number of iterations."
    )
