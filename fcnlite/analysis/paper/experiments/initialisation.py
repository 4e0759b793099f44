"""The score layer starts at zero, or at random values (section 4.3)."""

from __future__ import annotations

from functools import partial

import numpy as np

from fcnlite import surgery
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.tools.budget import budget, setting
from fcnlite.analysis.paper.tools.datasets import data_sets
from fcnlite.analysis.paper.tools.figures import loss_chart
from fcnlite.analysis.paper.tools.small_nets import SMALL, small_or_given
from fcnlite.analysis.paper.tools.statistics import METRICS, compare_differences, spread
from fcnlite.analysis.paper.tools.training import averaged
from fcnlite.analysis.paper.tools.ways import Way, compare
from fcnlite.description.fillers import Filler
from fcnlite.net import Net

_ITERATIONS = 100
_RATE = 0.02


def random_scores(net: Net, filler: Filler) -> None:
    """Fill the weights of all score layers of an FCN; their biases stay zero."""
    scores = [layer.spec.name for layer in net.layers if layer.type == "Convolution" and "score" in layer.spec.name]
    surgery.fill(net, scores, filler)


def run(settings: Settings, page: Page) -> None:
    """Fill the page with trainings from scores of zero and from random ones, by default of the small FCN-8s."""
    train_set, test_set = data_sets(settings)
    spec, start = small_or_given(settings, len(train_set.classes))
    ways = (
        Way("zero", spec),
        Way("random, deviation 0.01", spec, prepare=partial(random_scores, filler=Filler("gaussian", std=0.01))),
        Way("random, xavier", spec, prepare=partial(random_scores, filler=Filler("xavier"))),
    )
    plan = budget(settings, iterations=_ITERATIONS, rate=_RATE)
    outcomes = compare(ways, start, plan, train_set, test_set)
    zero = outcomes["zero"]
    early = [float(np.mean(each.losses[: max(1, plan.iterations // 4)])) for each in zero.trainings]
    rows = []
    for name, outcome in outcomes.items():
        first = [float(np.mean(each.losses[: max(1, plan.iterations // 4)])) for each in outcome.trainings]
        last = [each.last_loss(0.25) for each in outcome.trainings]
        rows.append((name, spread(first, 3), spread(last, 3), *outcome.row()))
        if outcome is zero:
            continue
        slower = [a - b for a, b in zip(first, early, strict=True)]
        compare_differences(
            page,
            f"mean loss of the first quarter of the iterations: {name}, less zero",
            "random is not faster",
            slower,
            3,
        )
        gains = outcome.gains(zero)
        compare_differences(page, f"mean IU: {name}, less zero", "random is not better", gains)
    page.table(("scores at the start", "loss, first quarter", "loss, last quarter", *METRICS), rows)
    page.picture(
        "losses",
        loss_chart({name: averaged(outcome.trainings) for name, outcome in outcomes.items()}, by=("iterations",)),
        "The loss by iteration, averaged over the seeds.",
    )
    page.text(
        setting(settings, SMALL, plan, train_set, test_set)
        + " A score layer with zero weights can learn, because the gradient of its weights is the product of the "
        "features and the error of the scores, and neither is zero. Only the trunk gets no gradient in the first "
        "iteration; it gets one from the second on. Scores of zero give all classes the same probability. Random "
        "scores start with a higher loss if the features are large."
    )
