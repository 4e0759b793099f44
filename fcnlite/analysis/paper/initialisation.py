"""The score layer starts at zero, or at random values (paper, section 4.1)."""

from __future__ import annotations

from functools import partial

import numpy as np

from fcnlite import surgery
from fcnlite.analysis.paper import miniature
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.miniature import Way
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.training import METRICS, loss_chart
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
    train_set, test_set = miniature.pictures(settings)
    spec = miniature.net(settings, len(train_set.classes))
    ways = (
        Way("zero", spec),
        Way("random, deviation 0.01", spec, prepare=partial(random_scores, filler=Filler("gaussian", std=0.01))),
        Way("random, xavier", spec, prepare=partial(random_scores, filler=Filler("xavier"))),
    )
    budget = miniature.budget(settings, iterations=_ITERATIONS, rate=_RATE)
    outcomes = {way.name: budget.run(way, train_set, test_set) for way in ways}
    zero = outcomes["zero"]
    early = [float(np.mean(each.losses[: max(1, budget.iterations // 4)])) for each in zero.trainings]
    rows = []
    for name, outcome in outcomes.items():
        first = [float(np.mean(each.losses[: max(1, budget.iterations // 4)])) for each in outcome.trainings]
        last = [each.last_loss(0.25) for each in outcome.trainings]
        rows.append((name, miniature.spread(first, 3), miniature.spread(last, 3), *outcome.row()))
        if outcome is zero:
            continue
        slower = [a - b for a, b in zip(first, early, strict=True)]
        page.compare(
            f"mean loss of the first quarter of the iterations, {name}, less that from zero",
            "random is no faster",
            miniature.spread(slower, 3, sign=True),
            miniature.verdict(slower, 3),
        )
        gains = outcome.gains(zero)
        page.compare(
            f"mean IU, {name}, less that from zero",
            "random is no better",
            miniature.spread(gains, sign=True),
            miniature.verdict(gains),
        )
    page.table(("scores at the start", "loss, first quarter", "loss, last quarter", *METRICS), rows)
    page.picture(
        "losses",
        loss_chart(
            {name: miniature.averaged(outcome.trainings) for name, outcome in outcomes.items()}, by=("iterations",)
        ),
        "The loss by iteration, the mean of the seeds.",
    )
    page.text(
        budget.words(train_set, test_set)
        + ("" if settings.init else miniature.CHOSEN)
        + "The scores have no hidden layer above them, so zero weights do not stop the gradient of their own weights: "
        "it is the product of the features and the error of the scores. The trunk gets no gradient in the first "
        "iteration, and gets one from the second on. Scores of zero give all classes the same probability. Random ones "
        "start from a higher loss if the features are large."
    )
