"""Fusion of a skip by the maximum in place of the sum (section 4.2): hard to learn, because gradients switch.

A sum passes its gradient to both streams. A maximum passes it, at each position and for each class, to the larger score
alone, and after an update the other score may be the larger one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from fcnlite import data
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.tools.budget import Budget, budget
from fcnlite.analysis.paper.tools.figures import class_colors, loss_chart, predictions, truths
from fcnlite.analysis.paper.tools.small_nets import SHALLOW, shallow_fcn, shipped_trunk
from fcnlite.analysis.paper.tools.statistics import spread
from fcnlite.analysis.paper.tools.training import Training, begin, evaluate
from fcnlite.arrays import Array
from fcnlite.data import Dataset
from fcnlite.description.spec import NetSpec
from fcnlite.net import Net

RATES = (0.1, 0.2, 0.4)
SEEDS = 3
_SIZE = 64
_PICTURES = {"train": 256, "val": 48, "test": 48}
_BATCH = 8
_ITERATIONS = 400
_WATCHED = 10
"""The number of iterations from one that is watched to the next."""


@dataclass(frozen=True)
class Run:
    """A training."""

    net: Net
    losses: Training
    switches: list[float]
    """At some iterations, the share of scores of a fixed picture whose larger stream is another than before it."""


def fused_by(operation: str, classes: int) -> NetSpec:
    """The small net with one skip, fused by SUM or MAX."""
    layers = (
        replace(each, options={**each.options, "operation": operation}) if each.type == "Eltwise" else each
        for each in shallow_fcn(classes)
    )
    return replace(shallow_fcn(classes), layers=tuple(layers))


def streams(net: Net) -> tuple[str, str]:
    """The blobs that are fused: the coarse scores, upsampled, and the skip's."""
    coarse, fine = next(layer for layer in net.layers if layer.type == "Eltwise").spec.bottom
    return coarse, fine


def larger(net: Net, picture: Array) -> Array:
    """Whether the coarse stream has the larger score, for each class and position of the fusion."""
    coarse, fine = streams(net)
    found = net.share("TEST").forward(data=picture, outputs=[coarse, fine])
    return found[coarse] > found[fine]


def watched(operation: str, dataset: Dataset, plan: Budget, seed: int) -> Run:
    """Train the shallow net with this fusion."""
    spec = fused_by(operation, len(dataset.classes))
    net = begin(spec, dataset, shipped_trunk(), seed)
    switches: list[float] = []
    fixed: list[Array] = []
    before: list[Array] = []

    def watch(iteration: int, batch: Mapping[str, Array]) -> None:
        if iteration == 0:
            fixed.append(batch["data"][:1].copy())
        if iteration % _WATCHED == _WATCHED - 2:
            before[:] = [larger(net, fixed[0])]
        elif iteration % _WATCHED == _WATCHED - 1:
            switches.append(float((larger(net, fixed[0]) != before[0]).mean()))

    training = plan.train(net, dataset, seed, watch=watch)
    return Run(net, training, switches)


def run(settings: Settings, page: Page) -> None:
    """Fill the page with trainings of both fusions on generated shapes."""
    iterations = settings.iterations or _ITERATIONS
    sets = {name: data.open("shapes", None, name, size=_SIZE, count=count) for name, count in _PICTURES.items()}
    scores: dict[str, list[float]] = {}
    chosen: dict[str, Run] = {}
    rows = []
    for operation in ("SUM", "MAX"):
        plans = [budget(settings, iterations=_ITERATIONS, rate=rate, batch_size=_BATCH, falling=True) for rate in RATES]
        tried = [watched(operation, sets["train"], each, settings.seed) for each in plans]
        best = int(np.argmax([evaluate(each.net, sets["val"]).mean_iu for each in tried]))
        seeds = range(settings.seed + 1, settings.seed + 1 + SEEDS)
        runs = [watched(operation, sets["train"], plans[best], seed) for seed in seeds]
        scores[operation] = [100 * evaluate(each.net, sets["test"]).mean_iu for each in runs]
        chosen[operation] = runs[0]
        switches = [each for run in runs for each in run.switches]
        switched = 100 * float(np.mean(switches)) if switches else 0.0
        rows.append((operation, RATES[best], *(f"{each:.1f}" for each in scores[operation]), f"{switched:.2f} %"))
    gains = [a - b for a, b in zip(scores["MAX"], scores["SUM"], strict=True)]
    hard = "max fusion is hard to learn"
    found = f"{spread(gains, sign=True)} points"
    agrees = max(gains) < 0
    note = "as the paper says, for every seed" if agrees else "not shown: for some seed the maximum learns as well"
    page.compare(f"mean IU with the maximum less that with the sum, {SEEDS} seeds", hard, found, note)
    page.text(
        f"{SHALLOW} They learn from {_PICTURES['train']} generated pictures in {iterations} iterations of {_BATCH} "
        "pictures, by SGD with a rate that falls to 0. The rate of each fusion is the best of "
        f"{', '.join(map(str, RATES))} on the split val. The table has the mean IU on {_PICTURES['test']} pictures of "
        f"the split test, for {SEEDS} seeds that had no part in this choice. The paper reports no figure: it found max "
        "fusion hard to learn."
        + (
            ""
            if agrees
            else " Here the maximum does not always learn worse. This may be because the net is small and has one "
            "skip, so that few of its gradients switch."
        )
    )
    page.table(("fusion", "rate", *(f"seed {settings.seed + 1 + i}" for i in range(SEEDS)), "switches"), rows)
    page.text(
        "The column switches has the share of the scores of one picture for which an update changes which stream has "
        f"the larger score, measured at every {_WATCHED}th update. With the maximum, the gradient of such a score goes "
        "to the other stream from then on. With the sum, both streams always get it. All scores start at zero, as in "
        "the paper."
    )
    page.picture(
        "losses",
        loss_chart({name: each.losses for name, each in chosen.items()}, by=("iterations",)),
        "The loss of the first seed, as a running mean.",
    )
    page.picture("truth", truths(sets["test"], 1)[0], "The truth.")
    for operation, each in chosen.items():
        ((prediction,),) = predictions(each.net, sets["test"], 1).values()
        page.picture(operation.lower(), prediction, f"Fusion by {operation}.")
    page.legend(class_colors(sets["test"].classes, sets["test"].colors))
