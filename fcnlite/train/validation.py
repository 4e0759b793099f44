"""What a training is watched by: the figures of a check, and the time that passes between checks."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from fcnlite.data import VOID, Dataset, Loader
from fcnlite.data.pictures import show
from fcnlite.segmentation.metrics import Metrics, confusion, number
from fcnlite.segmentation.segmenter import Segmenter
from fcnlite.train.norms import Norms

SAMPLES = 6
"""Pictures that are shown with their predictions."""


@dataclass(frozen=True)
class Score:
    """How well one picture is segmented."""

    index: int
    """In its data set."""
    name: str
    mean_iu: float
    """Over the classes that are in the picture or predicted there; NaN where all of it is void."""
    pixel_accuracy: float
    mistake: tuple[int, int, float] | None
    """The commonest: true class, predicted class, share of the picture's scored pixels; None without any."""

    @staticmethod
    def of(index: int, name: str, matrix: np.ndarray) -> Score:
        metrics = Metrics.from_matrix(matrix)
        wrong = matrix.copy()
        np.fill_diagonal(wrong, 0)
        truth, predicted = divmod(int(wrong.argmax()), len(wrong))
        share = wrong[truth, predicted] / max(1, matrix.sum())
        mistake = (truth, predicted, float(share)) if share else None
        return Score(index, name, metrics.mean_iu, metrics.pixel_accuracy, mistake)


class Scores:
    """Collects the score of every picture from an evaluation, whose `each` it is."""

    def __init__(self) -> None:
        self._scores: list[Score] = []

    def __call__(self, name: str, matrix: np.ndarray) -> None:
        self._scores.append(Score.of(len(self._scores), name, matrix))

    def worst_first(self) -> list[Score]:
        """By mean IU; pictures without one come last."""
        return sorted(self._scores, key=_rank)


def _rank(score: Score) -> tuple[bool, float, int]:
    return math.isnan(score.mean_iu), score.mean_iu, score.index


@dataclass(frozen=True)
class Shown:
    """A picture (H×W×3 uint8) with its true and its predicted labels; the first of several label maps."""

    score: Score
    image: np.ndarray
    truth: np.ndarray
    predicted: np.ndarray


def predictions(segmenter: Segmenter, dataset: Dataset, ranked: Sequence[Score] = ()) -> list[Shown]:
    """A few pictures of `dataset` with what the net makes of them, the worst first.

    `ranked`: the scores of all pictures, worst first. The worst of them are shown, the middle one and the best; without
    scores, pictures that are evenly spread over the data set.
    """
    if ranked:
        middle = max(SAMPLES - 2, len(ranked) // 2)
        places = range(len(ranked)) if len(ranked) <= SAMPLES else [*range(SAMPLES - 2), middle, len(ranked) - 1]
        chosen = [ranked[place].index for place in places]
    else:
        chosen = np.unique(np.linspace(0, len(dataset) - 1, SAMPLES).astype(int)).tolist()
    shown = []
    for index in chosen:
        sample = dataset[index]
        predicted = segmenter(sample.images)
        matrix = confusion(sample.label, predicted, len(dataset.classes), VOID)
        shown.append(Shown(Score.of(index, sample.name, matrix), show(sample.image), sample.label, predicted))
    return sorted(shown, key=lambda each: _rank(each.score))


@dataclass(frozen=True)
class Check:
    """What is measured at intervals. Figures are those of the weights after `iteration`."""

    iteration: int
    norms: Norms
    """The gradients' are of the iteration's batch."""
    matrix: np.ndarray | None
    """The confusion matrix on the validation set, if there is one."""
    samples: Sequence[Shown]
    ranked: Sequence[Score] = ()
    """Every picture of the validation set, the worst first."""

    @cached_property
    def metrics(self) -> Metrics | None:
        return None if self.matrix is None else Metrics.from_matrix(self.matrix)

    @property
    def mean_iu(self) -> float:
        """NaN without a validation set."""
        return self.metrics.mean_iu if self.metrics else math.nan

    def plain(self) -> dict[str, Any]:
        """As JSON values: a line of log.jsonl. Null for figures that have no value."""
        figures: dict[str, Any] = {}
        if m := self.metrics:
            figures = {
                "mean_iu": number(m.mean_iu),
                "pixel_accuracy": number(m.pixel_accuracy),
                "mean_accuracy": number(m.mean_accuracy),
                "frequency_weighted_iu": number(m.frequency_weighted_iu),
                "iu": [number(each) for each in m.iu],
            }
        norms = {
            "gradient_norms": {layer: number(each) for layer, each in self.norms.gradients.items()},
            "weight_norms": {layer: number(each) for layer, each in self.norms.weights.items()},
        }
        return {"iteration": self.iteration, **figures, **norms}

    def __str__(self) -> str:
        return "no validation" if self.metrics is None else f"mean IU {self.mean_iu:.3f}"


@dataclass(frozen=True)
class Speed:
    """The time from one check to the next."""

    iteration: int
    iterations: int
    seconds: float
    """All of them."""
    checking: float
    """Seconds of it spent on validation, checkpoints and reports."""
    waited: float
    """Seconds of it in which training waited for data."""

    def plain(self) -> dict[str, Any]:
        """As JSON values: a line of speed.jsonl."""
        times = {"seconds": self.seconds, "checking": self.checking, "waited": self.waited}
        rounded = {name: round(each, 3) for name, each in times.items()}
        return {"iteration": self.iteration, "iterations": self.iterations, **rounded}

    def __str__(self) -> str:
        training = max(self.seconds - self.checking, 1e-9)
        return f"{self.iterations / training:.3g} iterations/s, {self.waited / training:.1%} of it waiting for data"


class Stopwatch:
    """Measures how long iterations take, how much of that is waiting for the loader, and checks apart from both."""

    def __init__(self, loader: Loader, iteration: int) -> None:
        self._loader = loader
        self._iteration = iteration
        self._began = time.perf_counter()
        self._waited = loader.waited
        self._checking = 0.0

    @contextmanager
    def checking(self) -> Iterator[None]:
        """Count the block as a check."""
        began = time.perf_counter()
        yield
        self._checking += time.perf_counter() - began

    def lap(self, iteration: int) -> Speed:
        """The time since the last lap, now that `iteration` is done."""
        now, waited = time.perf_counter(), self._loader.waited
        done = iteration - self._iteration
        speed = Speed(iteration, done, now - self._began, self._checking, waited - self._waited)
        self._iteration, self._began, self._waited, self._checking = iteration, now, waited, 0.0
        return speed
