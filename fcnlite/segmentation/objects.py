"""Scores of the objects that borders separate: V_rand and V_info of the ISBI 2012 challenge, after border thinning.

A net scores pixels as border or inside; the objects are the connected parts of the inside (4 neighbours). s and t are
the objects of a pixel in the proposal and in the truth, and p(s, t) is the share of the pixels that have both:

    V_rand = Σ p(s, t)² / (½ Σ p(s)² + ½ Σ p(t)²)
    V_info = 2 · I(s; t) / (H(s) + H(t))

Both are 1 for equal objects. An object that is merged with another or split costs more the larger it is. Only pixels
inside the objects of the truth count (*foreground restriction*); among them, each border pixel of the proposal is an
object of its own.

Borders of any width are first thinned to one pixel: the objects of the proposal grow into the border until they meet.
The challenge's own script runs in ImageJ; it was not compared with. A thinning to skeletons leaves the same objects,
but also the loose ends of lines, and it opens lines at the edges of the picture, so that its scores are lower. The
probability of the inside is cut at the thresholds 0, 0.1, …, 0.9. A score is the mean over the pictures, at the
threshold at which it is highest. Arganda-Carreras et al., Frontiers in Neuroanatomy 9:142, 2015.
"""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import dataclass
from itertools import product

import numpy as np

from fcnlite.arrays import Array
from fcnlite.data import VOID, Dataset, epoch
from fcnlite.data.problems import Progress
from fcnlite.ranks.communicator import ALONE, Communicator
from fcnlite.segmentation.evaluation import matches, together
from fcnlite.segmentation.segmenter import Segmenter

THRESHOLDS = tuple(i / 10 for i in range(10))


@dataclass(frozen=True)
class ObjectScore:
    """A mean score over the pictures, NaN without pixels inside objects, and the threshold that it is reached at."""

    score: float
    threshold: float


def object_scores(
    segmenter: Segmenter,
    dataset: Dataset,
    progress: Progress | None = None,
    *,
    classes_by_number: bool = False,
    ranks: Communicator = ALONE,
) -> dict[str, ObjectScore]:
    """V_rand and V_info on `dataset`, whose class `dataset.border` separates objects.

    Classes are matched, and errors raised, as in `evaluation.evaluate`. The ranks share out the pictures.
    """
    border = dataset.border
    assert border is not None
    order = matches(segmenter, dataset, classes_by_number)[0].order
    channel = border if order is None else order.index(border)
    found: dict[int, list[tuple[float, float]]] = {}

    def score() -> None:
        with closing(epoch(dataset, range(ranks.rank, len(dataset), ranks.size))) as mine:
            for place, sample in enumerate(mine):
                inside = 1 - segmenter.probabilities(sample.images)[channel]
                truth = connected((sample.label != border) & (sample.label != VOID))
                found[place * ranks.size + ranks.rank] = [
                    similarity(truth, thinned(connected(inside > each))) for each in THRESHOLDS
                ]
                if progress is not None:
                    progress(min((place + 1) * ranks.size, len(dataset)), len(dataset))

    together(ranks, score)
    everywhere = {index: each for part in ranks.gather(found) for index, each in part.items()}
    table = np.array([everywhere[index] for index in sorted(everywhere)])
    table = table[~np.isnan(table).any(axis=(1, 2))]
    means = table.mean(axis=0) if len(table) else np.full((len(THRESHOLDS), 2), math.nan)
    best = means.argmax(axis=0)
    return {
        name: ObjectScore(float(means[at, i]), THRESHOLDS[at])
        for i, (name, at) in enumerate(zip(("v_rand", "v_info"), best, strict=True))
    }


def connected(inside: Array) -> Array:
    """Number the connected parts of `inside`, H×W booleans, from 1 on: H×W int32, 0 outside."""
    from scipy import ndimage

    return np.asarray(ndimage.label(inside)[0], np.int32)


def thinned(objects: Array) -> Array:
    """`objects`, H×W int32 with 0 for borders, grown until the borders between them are one pixel wide.

    A border pixel joins an object beside it if no other object is among its 8 neighbours. Pixels that are not
    neighbours of each other, every second one of every second row, are decided together; the four groups take turns.
    """
    height, width = objects.shape
    padded = np.pad(objects.astype(np.uint32), 1)
    inside, before = int(np.count_nonzero(padded)), -1
    while inside != before:
        for row, column in product((1, 2), repeat=2):
            centre = padded[row : height + 1 : 2, column : width + 1 : 2]
            beside, highest = np.zeros_like(centre), np.zeros_like(centre)
            lowest = highest - 1  # of the numbers less 1, of which those of borders are the largest
            for down, right in product((-1, 0, 1), repeat=2):
                part = padded[row + down : height + 1 + down : 2, column + right : width + 1 + right : 2]
                np.maximum(highest, part, out=highest)
                np.minimum(lowest, part - 1, out=lowest)
                if not (down and right):
                    np.maximum(beside, part, out=beside)
            np.copyto(centre, beside, where=(centre == 0) & (beside > 0) & (lowest == highest - 1))
        inside, before = int(np.count_nonzero(padded)), inside
    return padded[1:-1, 1:-1].astype(np.int32)


def similarity(truth: Array, proposal: Array) -> tuple[float, float]:
    """V_rand and V_info of numbered objects, both H×W with 0 for borders; NaN if the truth has no object."""
    inside = truth > 0
    t, s = truth[inside].astype(np.int64), proposal[inside].astype(np.int64)
    if not t.size:
        return math.nan, math.nan
    s = np.where(s > 0, s, -1 - np.arange(s.size))  # a border pixel is an object of its own
    counts = [np.unique(each, return_counts=True, axis=0)[1] for each in (s, t, np.stack((s, t), axis=1))]
    of_s, of_t, of_both = (each / t.size for each in counts)
    rand = (of_both @ of_both) / (0.5 * (of_s @ of_s) + 0.5 * (of_t @ of_t))
    h_s, h_t, h_both = (-float(each @ np.log(each)) for each in (of_s, of_t, of_both))
    return float(rand), 2 * (h_s + h_t - h_both) / (h_s + h_t) if h_s + h_t > 0 else 1.0
