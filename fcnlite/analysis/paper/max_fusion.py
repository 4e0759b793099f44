"""Fusion of a skip by the maximum in place of the sum (section 4.2): hard to learn, because gradients switch.

A sum passes its gradient to both streams. A maximum passes it, at each position and class, to the larger score alone;
with each update another one may be larger.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from fcnlite import data
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.figures import predictions, truths
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.small import COARSEST, begin_small, log_shares, small_fcn
from fcnlite.analysis.paper.training import Training, evaluate, loss_chart, shipped_trunk
from fcnlite.arrays import Array
from fcnlite.data import Dataset, Loader
from fcnlite.description.spec import NetSpec
from fcnlite.net import Net
from fcnlite.solver import SGD

RATES = (0.01, 0.05)
SEEDS = 3
_SIZE = 64
_PICTURES = {"train": 256, "val": 48, "test": 48}
_BATCH = 8


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
        for each in small_fcn(classes)
    )
    return replace(small_fcn(classes), layers=tuple(layers))


def streams(net: Net) -> tuple[str, str]:
    """The blobs that are fused: the coarse scores, upsampled, and the skip's."""
    coarse, fine = next(layer for layer in net.layers if layer.type == "Eltwise").spec.bottom
    return coarse, fine


def larger(net: Net, picture: Array) -> Array:
    """Whether the coarse stream has the larger score, for each class and position of the fusion."""
    coarse, fine = streams(net)
    found = net.share("TEST").forward(data=picture, outputs=[coarse, fine])
    return found[coarse] > found[fine]


def train(operation: str, dataset: Dataset, iterations: int, rate: float, seed: int) -> Run:
    """Train the small net by SGD, from the shipped trunk, with a rate that falls to zero."""
    spec = fused_by(operation, len(dataset.classes))
    net = begin_small(spec, dataset, shipped_trunk(), {COARSEST: log_shares(dataset)}, seed)
    solver = SGD(net, base_lr=rate, momentum=0.9, weight_decay=1e-4, lr_policy="poly", power=1.0, max_iter=iterations)
    loader = Loader(dataset, batch_size=_BATCH, preprocessing=net.info.preprocessing, seed=seed, threads=1)
    losses: list[float] = []
    switches: list[float] = []
    fixed: Array | None = None
    with closing(loader.batches()) as batches:
        for iteration, batch in enumerate(islice(batches, iterations)):
            fixed = batch["data"][:1] if fixed is None else fixed
            watched = iteration % 10 == 9
            before = larger(net, fixed) if watched else None
            losses.append(solver.step(batch))
            if watched:
                switches.append(float((larger(net, fixed) != before).mean()))
    return Run(net, Training(tuple(losses), (), ()), switches)


def run(settings: Settings, page: Page) -> None:
    """Fill the page with trainings of both fusions on generated shapes."""
    iterations = settings.iterations or 200
    sets = {name: data.open("shapes", None, name, size=_SIZE, count=count) for name, count in _PICTURES.items()}
    scores: dict[str, list[float]] = {}
    chosen: dict[str, Run] = {}
    rows = []
    for operation in ("SUM", "MAX"):
        tried = [train(operation, sets["train"], iterations, rate, settings.seed) for rate in RATES]
        rate = RATES[int(np.argmax([evaluate(each.net, sets["val"]).mean_iu for each in tried]))]
        seeds = range(settings.seed + 1, settings.seed + 1 + SEEDS)
        runs = [train(operation, sets["train"], iterations, rate, seed) for seed in seeds]
        scores[operation] = [100 * evaluate(each.net, sets["test"]).mean_iu for each in runs]
        chosen[operation] = runs[0]
        switched = 100 * float(np.mean([each for run in runs for each in run.switches])) if iterations > 9 else 0.0
        rows.append((operation, rate, *(f"{each:.1f}" for each in scores[operation]), f"{switched:.2f} %"))
    gains = np.subtract(scores["MAX"], scores["SUM"])
    hard = "max fusion is hard to learn"
    found = f"{gains.mean():+.1f} points ({gains.min():+.1f} to {gains.max():+.1f})"
    agrees = gains.max() < 0
    note = "as the paper says" if agrees else "not shown: the seeds do not agree, or the maximum learns as well"
    page.compare(f"mean IU with the maximum against the sum, {SEEDS} seeds", hard, found, note)
    page.text(
        f"A small net with one skip, from the shipped trunk, on {_PICTURES['train']} generated pictures, {iterations} "
        "iterations. "
        f"The rate of each fusion is the better of {RATES[0]:g} and {RATES[1]:g} on validation pictures. Figures are "
        f"those of {_PICTURES['test']} test pictures, for {SEEDS} seeds that did not take part in the choice."
    )
    page.table(("fusion", "rate", *(f"seed {settings.seed + 1 + i}" for i in range(SEEDS)), "switches"), rows)
    page.text(
        "Switches are the scores of a fixed picture for which one update, every tenth, changes which stream has the "
        "larger score. With the maximum, the gradient of these scores goes to the other stream from then on. With the "
        "sum, both streams always get it. The scores of the skip start at zero, and those of the coarse stream at the "
        "logarithms of the shares of the classes, which are below zero: at first, the maximum is the skip everywhere."
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
