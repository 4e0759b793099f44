"""Validation during training: metrics, scores of single pictures, sample predictions, norms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from fcnlite.data import VOID, Dataset
from fcnlite.data.pictures import show
from fcnlite.ranks.communicator import ALONE, Communicator
from fcnlite.segmentation.metrics import Metrics, confusion, number
from fcnlite.segmentation.segmenter import Segmenter
from fcnlite.train.norms import Norms

SAMPLES = 6
"""The number of pictures that are shown with their predictions."""


@dataclass(frozen=True)
class Score:
    """The score of one picture."""

    index: int
    """The index of the picture in its data set."""
    name: str
    mean_iu: float
    """The mean over the classes in the picture or in its prediction; NaN where all pixels are void."""
    pixel_accuracy: float
    mistake: tuple[int, int, float] | None
    """The most frequent mistake: true class, predicted class, share of the scored pixels; None without mistakes."""

    @staticmethod
    def of(index: int, name: str, matrix: np.ndarray) -> Score:
        """The score of a picture from its confusion matrix."""
        metrics = Metrics.from_matrix(matrix)
        wrong = matrix.copy()
        np.fill_diagonal(wrong, 0)
        truth, predicted = divmod(int(wrong.argmax()), len(wrong))
        share = wrong[truth, predicted] / max(1, matrix.sum())
        mistake = (truth, predicted, float(share)) if share else None
        return Score(index, name, metrics.mean_iu, metrics.pixel_accuracy, mistake)


class Scores:
    """Collects the scores of all pictures; give it to an evaluation by the same ranks as `each`."""

    def __init__(self, ranks: Communicator = ALONE) -> None:
        self._ranks = ranks
        self._scores: list[Score] = []

    def __call__(self, name: str, matrix: np.ndarray) -> None:
        index = len(self._scores) * self._ranks.size + self._ranks.rank
        self._scores.append(Score.of(index, name, matrix))

    def worst_first(self) -> list[Score]:
        """The scores of all ranks by mean IU; pictures without one come last."""
        return sorted((score for part in self._ranks.gather(self._scores) for score in part), key=_place)


def _place(score: Score) -> tuple[bool, float, int]:
    return math.isnan(score.mean_iu), score.mean_iu, score.index


@dataclass(frozen=True)
class Prediction:
    """A picture (H×W×3 uint8) with its true and its predicted labels, of the first label map."""

    score: Score
    image: np.ndarray
    truth: np.ndarray
    predicted: np.ndarray


def predictions(segmenter: Segmenter, dataset: Dataset, ranked: Sequence[Score] = ()) -> list[Prediction]:
    """Predict a few pictures of `dataset`; the worst come first.

    `ranked` has the scores of all pictures, worst first: the worst, the middle and the best picture are chosen. Without
    scores, pictures evenly spread over the data set are chosen.
    """
    if ranked:
        middle = max(SAMPLES - 2, len(ranked) // 2)
        places = range(len(ranked)) if len(ranked) <= SAMPLES else [*range(SAMPLES - 2), middle, len(ranked) - 1]
        chosen = [ranked[place].index for place in places]
    else:
        chosen = np.unique(np.linspace(0, len(dataset) - 1, SAMPLES).astype(int)).tolist()
    found = []
    for index in chosen:
        sample = dataset[index]
        predicted = segmenter(sample.images)
        matrix = confusion(sample.label, predicted, len(dataset.classes), VOID)
        found.append(Prediction(Score.of(index, sample.name, matrix), show(sample.image), sample.label, predicted))
    return sorted(found, key=lambda each: _place(each.score))


@dataclass(frozen=True)
class Check:
    """The measurements of one check, of the weights after `iteration`."""

    iteration: int
    norms: Norms
    """The norms; those of the gradients are of the last batch."""
    matrix: np.ndarray | None
    """The confusion matrix on the validation split; None without one."""
    samples: Sequence[Prediction]
    ranked: Sequence[Score] = ()
    """The scores of all pictures of the validation split, worst first."""

    @cached_property
    def metrics(self) -> Metrics | None:
        """The metrics of the confusion matrix; None without a validation split."""
        return None if self.matrix is None else Metrics.from_matrix(self.matrix)

    @property
    def mean_iu(self) -> float:
        """The mean IU; NaN without a validation split."""
        return self.metrics.mean_iu if self.metrics else math.nan

    def to_json(self) -> dict[str, Any]:
        """The JSON values of a line of log.jsonl, with null for metrics without a value."""
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
