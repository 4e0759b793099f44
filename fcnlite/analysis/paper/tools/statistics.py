"""Metrics as figures for a page, and the figures of several seeds: their mean, their spread, and a verdict."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fcnlite.analysis.paper.page import Page
from fcnlite.arrays import Array
from fcnlite.segmentation.metrics import Metrics

METRICS = ("pixel accuracy", "mean accuracy", "mean IU", "frequency weighted IU")
"""The headings of `percentages`."""


def percentages(metrics: Metrics) -> list[str]:
    """The four metrics in percent, in the order of `METRICS`."""
    values = (metrics.pixel_accuracy, metrics.mean_accuracy, metrics.mean_iu, metrics.frequency_weighted_iu)
    return [f"{100 * each:.1f}" for each in values]


def spread(values: Sequence[float] | Array, digits: int = 1, *, sign: bool = False) -> str:
    """The mean and the sample standard deviation of `values`, such as "71.3 ± 0.8"; the mean alone of one value."""
    plus = "+" if sign else ""
    mean = f"{round(float(np.mean(values)), digits) + 0.0:{plus}.{digits}f}"  # no minus before a 0
    return mean if len(values) < 2 else f"{mean} ± {np.std(values, ddof=1):.{digits}f}"


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


def compare_differences(
    page: Page, what: str, paper: str | None, differences: Sequence[float], digits: int = 1
) -> None:
    """Add the mean and deviation of paired `differences` to the page, beside what the paper says, with the verdict."""
    page.compare(what, paper, spread(differences, digits, sign=True), verdict(differences, digits))
