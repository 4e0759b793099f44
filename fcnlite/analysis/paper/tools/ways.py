"""Ways to train one net, which a page compares: each is trained with the same budget and the same seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from fcnlite.analysis.paper.tools.budget import Budget
from fcnlite.analysis.paper.tools.statistics import percentages, spread
from fcnlite.analysis.paper.tools.training import Training, begin, evaluate
from fcnlite.arrays import Array
from fcnlite.data import Dataset
from fcnlite.data.augmentation import Augment
from fcnlite.description.spec import NetSpec
from fcnlite.net import Net
from fcnlite.segmentation.metrics import Metrics
from fcnlite.surgery import Weights


@dataclass(frozen=True)
class Way:
    """One of several ways to train a net that a page compares."""

    name: str
    spec: NetSpec
    augment: Augment = field(default_factory=Augment)
    label: Callable[[Array, np.random.Generator], Array] | None = None
    """Changes each label array; see `training.train`."""
    prepare: Callable[[Net], None] | None = None
    """Changes the net before it learns."""
    inspect: Callable[[Net], float] | None = None
    """A figure of the net that has learned."""


@dataclass(frozen=True)
class Outcome:
    """The trainings of one way, one for each seed, and their metrics."""

    trainings: list[Training]
    metrics: list[Metrics]
    inspected: list[float]
    """The figures of `Way.inspect`."""

    def gains(self, other: Outcome) -> list[float]:
        """The mean IU less that of `other`, for each seed, in points."""
        return [100 * (a.mean_iu - b.mean_iu) for a, b in zip(self.metrics, other.metrics, strict=True)]

    def row(self) -> list[str]:
        """The mean and deviation of the four metrics, in the order of `statistics.METRICS`."""
        return [
            spread(column) for column in zip(*(map(float, percentages(each)) for each in self.metrics), strict=True)
        ]


def compare(
    ways: Sequence[Way], start: str | Weights, plan: Budget, train_set: Dataset, test_set: Dataset
) -> dict[str, Outcome]:
    """Train all ways from the weights `start`; their outcomes by name.

    Raises `TrainingError` if a loss becomes infinite or NaN.
    """
    return {way.name: _outcome(way, start, plan, train_set, test_set) for way in ways}


def _outcome(way: Way, start: str | Weights, plan: Budget, train_set: Dataset, test_set: Dataset) -> Outcome:
    outcome = Outcome([], [], [])
    for seed in plan.seeds:
        net = begin(way.spec, train_set, start, seed)
        if way.prepare is not None:
            way.prepare(net)
        outcome.trainings.append(plan.train(net, train_set, seed, augment=way.augment, label=way.label))
        outcome.metrics.append(evaluate(net, test_set))
        if way.inspect is not None:
            outcome.inspected.append(way.inspect(net))
    return outcome
