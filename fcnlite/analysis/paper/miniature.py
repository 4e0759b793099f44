"""A miniature of the papers' trainings: FCNs on a trunk of an eighth of VGG-16's width, and figures of several seeds.

The trunk has the place of the paper's VGG-16, and the scores start at zero, as in the paper. Rates were chosen on the
split `val` with seeds that the pages do not use; the pages report the split `test`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from fcnlite import data, models
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.training import (
    Training,
    begin,
    evaluate,
    percentages,
    shipped_trunk,
    small_net,
    train,
)
from fcnlite.arrays import Array
from fcnlite.data import Dataset
from fcnlite.data.transforms import Augment
from fcnlite.description.spec import NetSpec
from fcnlite.errors import TrainingError
from fcnlite.net import Net
from fcnlite.segmentation.metrics import Metrics
from fcnlite.surgery import Weights

SIZE = 96
"""The height and width of the generated pictures."""
CROP = (224, 224)
"""The height and width of the parts of given pictures that the small FCN learns from."""
CHOSEN = "The rate was chosen on the split val with another seed. "
"""How the settings of the default runs were chosen."""


def pictures(settings: Settings, count: int = 1000, *, size: int = SIZE) -> tuple[Dataset, Dataset]:
    """The data sets that a page learns from and reports: by default `count` generated pictures, and 60 others."""
    train_set = settings.train_set or data.open("shapes", split="train", size=size, count=count)
    return train_set, settings.val_set or data.open("shapes", split="test", size=size, count=60)


def seeds(settings: Settings, count: int) -> range:
    """The seeds of repeated trainings: `count` from `settings.seed` on, and one alone with given weights."""
    return range(settings.seed, settings.seed + (count if settings.init is None else 1))


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
    """The trainings of one way, one for each seed, and their metrics in percent."""

    trainings: list[Training]
    metrics: list[Metrics]
    inspected: list[float]
    """The figures of `Way.inspect`."""

    def values(self, name: str) -> list[float]:
        """A metric of each training in percent, by the name of the attribute of `Metrics`."""
        return [100 * float(getattr(each, name)) for each in self.metrics]

    def gains(self, other: Outcome, name: str = "mean_iu") -> list[float]:
        """This metric less that of `other`, for each seed, in points."""
        return [a - b for a, b in zip(self.values(name), other.values(name), strict=True)]

    def row(self) -> list[str]:
        """The mean and deviation of the four metrics, in the order of `training.METRICS`."""
        return [
            spread(column) for column in zip(*(map(float, percentages(each)) for each in self.metrics), strict=True)
        ]


@dataclass(frozen=True)
class Budget:
    """What all ways of a page have in common."""

    start: str | Weights
    iterations: int
    batch_size: int
    seeds: range
    options: Mapping[str, float]
    """The solver's."""
    crop: tuple[int, int] | None = None
    """The height and width of the parts of pictures that make a batch, if pictures differ in size."""

    def run(self, way: Way, train_set: Dataset, test_set: Dataset) -> Outcome:
        """Train this way, once for each seed. Raises `TrainingError` if a loss becomes infinite or NaN."""
        outcome = Outcome([], [], [])
        for seed in self.seeds:
            net = begin(way.spec, train_set, self.start, seed)
            if way.prepare is not None:
                way.prepare(net)
            training = train(
                net,
                train_set,
                self.iterations,
                batch_size=self.batch_size,
                augment=replace(way.augment, crop=self.crop),
                label=way.label,
                seed=seed,
                **self.options,
            )
            check_finite(way.name, training)
            outcome.trainings.append(training)
            outcome.metrics.append(evaluate(net, test_set))
            if way.inspect is not None:
                outcome.inspected.append(way.inspect(net))
        return outcome

    def words(self, train_set: Dataset, test_set: Dataset) -> str:
        """Data and budget in words, for a page."""
        pictures = "single pictures" if self.batch_size == 1 else f"{self.batch_size} pictures"
        return (
            f"Each way learns from {len(train_set)} pictures of {train_set.name} in {self.iterations} iterations on "
            f"{pictures}, rate {self.options['base_lr']:g}, momentum {self.options['momentum']}, from the same trunk; "
            f"{len(self.seeds)} {'seed' if len(self.seeds) == 1 else 'seeds'}, the same for all ways. The metrics are "
            f"those of {len(test_set)} pictures of the split {test_set.split}. "
        )


def check_finite(name: str, training: Training) -> None:
    """Raise `TrainingError`, which names the way to train, if its loss became infinite or NaN."""
    if training.diverged:
        raise TrainingError(
            f"{name}: the loss is infinite or NaN after {len(training.losses)} iterations; expected numbers. Give with "
            "--init the weights of a trained VGG-16, whose features have the sizes that the paper's rate suits."
        )


def budget(settings: Settings, *, iterations: int, rate: float, count: int = 3, batch_size: int = 4) -> Budget:
    """The budget of the small FCN, or with given weights that of the reference's FCN-32s: 100,000 iterations."""
    if settings.init is not None:
        options = {"base_lr": 1e-10, "momentum": 0.99, "weight_decay": 5e-4}
        return Budget(settings.init, settings.iterations or 100_000, 1, seeds(settings, 1), options)
    options = {"base_lr": rate, "momentum": 0.9}
    repeated = seeds(settings, count)
    crop = CROP if settings.train_set is not None else None
    return Budget(shipped_trunk(), settings.iterations or iterations, batch_size, repeated, options, crop)


def net(settings: Settings, classes: int) -> NetSpec:
    """The small FCN-8s, or with given weights the reference's FCN-32s."""
    return small_net(classes, 8) if settings.init is None else models.describe("voc-fcn32s", classes=classes)


def spread(values: Sequence[float], digits: int = 1, *, sign: bool = False) -> str:
    """The mean and the sample standard deviation of `values`, such as "71.3 ± 0.8"; the mean alone of one value."""
    plus = "+" if sign else ""
    mean = f"{np.mean(values):{plus}.{digits}f}"
    return mean if len(values) < 2 else f"{mean} ± {np.std(values, ddof=1):.{digits}f}"


def averaged(trainings: Sequence[Training]) -> Training:
    """The mean of several trainings of equal batches, iteration by iteration, up to the end of the shortest."""
    count = min(len(each.losses) for each in trainings)
    losses, seconds = (
        np.mean([getattr(each, name)[:count] for each in trainings], axis=0) for name in ("losses", "seconds")
    )
    return Training(tuple(losses.tolist()), tuple(seconds.tolist()), trainings[0].pictures[:count])


def interval(differences: Sequence[float]) -> float:
    """Half the width of the 95 % confidence interval of the mean of `differences` (Student's t).

    NaN for fewer than two.
    """
    from scipy import stats

    count = len(differences)
    if count < 2:
        return float("nan")
    return float(stats.t.ppf(0.975, count - 1) * np.std(differences, ddof=1) / np.sqrt(count))


def verdict(differences: Sequence[float], digits: int = 1) -> str:
    """Whether the mean of paired `differences` can be told from zero, in words for a page."""
    if len(differences) < 2:
        return "one training, so the spread is not known"
    half = interval(differences)
    told = abs(float(np.mean(differences))) > half
    return (
        f"mean ± deviation of {len(differences)} seeds; the 95 % interval of the mean, ±{half:.{digits}f}, "
        f"{'does not include' if told else 'includes'} 0"
    )
