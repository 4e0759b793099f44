"""The data of small trainings, and figures of several seeds.

Rates were chosen on the split `val` with seeds that the pages do not use; the pages report the split `test`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fcnlite import data
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.training import Training
from fcnlite.data import Dataset

SIZE = 96
"""The height and width of the generated pictures."""
CHOSEN = "The rate was chosen on the split val with another seed. "
"""How the settings of the default runs were chosen."""


def pictures(settings: Settings, count: int = 1000, *, size: int = SIZE) -> tuple[Dataset, Dataset]:
    """The data sets that a page learns from and reports: by default `count` generated pictures, and 60 others."""
    train_set = settings.train_set or data.open("shapes", split="train", size=size, count=count)
    return train_set, settings.val_set or data.open("shapes", split="test", size=size, count=60)


def seeds(settings: Settings, count: int) -> range:
    """The seeds of repeated trainings: `count` from `settings.seed` on, and one alone with given weights."""
    return range(settings.seed, settings.seed + (count if settings.init is None else 1))


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
