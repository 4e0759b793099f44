"""What a training is watched by: the figures of a check, and the time that passes between checks."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from fcnlite.data import Dataset, Loader
from fcnlite.data.pictures import show
from fcnlite.metrics import Metrics, number
from fcnlite.segmenter import Segmenter
from fcnlite.train.norms import Norms

SAMPLES = 6
"""Pictures that are shown with their predictions."""

Rows = list[tuple[np.ndarray, np.ndarray, np.ndarray]]
"""Picture, true labels, predicted labels."""


def predictions(segmenter: Segmenter, dataset: Dataset) -> Rows:
    """A few pictures of `dataset`, evenly spread, with what the net makes of them; the first of several label maps."""
    chosen = np.unique(np.linspace(0, len(dataset) - 1, SAMPLES).astype(int))
    samples = [dataset[int(index)] for index in chosen]
    return [(show(sample.image), sample.label, segmenter(sample.images)) for sample in samples]


@dataclass(frozen=True)
class Check:
    """What is measured at intervals. Figures are those of the weights after `iteration`."""

    iteration: int
    norms: Norms
    """The gradients' are of the iteration's batch."""
    matrix: np.ndarray | None
    """The confusion matrix on the validation set, if there is one."""
    samples: Rows

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
