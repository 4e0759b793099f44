"""Fusion of a skip by the maximum in place of the sum (paper, section 4.2): hard to learn, because gradients switch.

A sum passes its gradient to both streams. A maximum passes it, at each position and class, to the larger score alone;
with each update another one may be larger.
"""

from __future__ import annotations

from dataclasses import replace

from fcnlite.analysis.paper import miniature
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.miniature import Way
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.training import METRICS, loss_chart, small_net
from fcnlite.arrays import Array
from fcnlite.data.loader import blobs
from fcnlite.description.spec import NetSpec
from fcnlite.net import Net

_ITERATIONS = 100
_RATE = 0.02
_FUSION = "fuse_pool4"


def fused_by(operation: str, classes: int) -> NetSpec:
    """The small FCN-16s with its skip fused by SUM or MAX."""
    spec = small_net(classes, 16)
    layers = (
        replace(each, options={**each.options, "operation": operation}) if each.name == _FUSION else each
        for each in spec
    )
    return replace(spec, layers=tuple(layers))


def larger(net: Net, picture: Array) -> Array:
    """Whether the coarse stream has the larger score, for each class and position of the fusion.

    `picture` is a blob N×C×H×W.
    """
    coarse, fine = net.layer(_FUSION).spec.bottom
    found = net.share("TEST").forward(data=picture, outputs=[coarse, fine])
    return found[coarse] > found[fine]


def run(settings: Settings, page: Page) -> None:
    """Fill the page with trainings of both fusions, by default of the small FCN-16s on generated shapes."""
    train_set, test_set = miniature.pictures(settings)
    classes = len(train_set.classes)

    def share_of_coarse(net: Net) -> float:
        return float(larger(net, blobs(test_set[0], net.info.preprocessing)["data"][None]).mean())

    budget = miniature.budget(settings, iterations=_ITERATIONS, rate=_RATE)
    ways = [Way(name, fused_by(name, classes), inspect=share_of_coarse) for name in ("SUM", "MAX")]
    outcomes = {way.name: budget.run(way, train_set, test_set) for way in ways}
    gains = outcomes["MAX"].gains(outcomes["SUM"])
    page.compare(
        "mean IU with the maximum less that with the sum",
        "hard to learn",
        miniature.spread(gains, sign=True),
        miniature.verdict(gains),
    )
    last = {name: [each.last_loss(0.25) for each in outcome.trainings] for name, outcome in outcomes.items()}
    rows = [
        (
            name,
            miniature.spread(last[name], 3),
            miniature.spread([100 * each for each in outcome.inspected]),
            *outcome.row(),
        )
        for name, outcome in outcomes.items()
    ]
    page.table(("fusion", "loss, last quarter", "% coarse larger", *METRICS), rows)
    averaged = {name: miniature.averaged(outcome.trainings) for name, outcome in outcomes.items()}
    page.picture("losses", loss_chart(averaged, by=("iterations",)), "The loss by iteration, the mean of the seeds.")
    page.text(
        budget.words(train_set, test_set)
        + miniature.CHOSEN
        + "The column in the middle is the share of the scores of a test picture, over classes and positions, that the "
        "coarse stream has the larger of the two. With the maximum these scores alone come from it, and the skip gives "
        "all others."
    )
