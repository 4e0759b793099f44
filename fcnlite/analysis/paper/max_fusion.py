"""Fusion of a skip by the maximum in place of the sum (section 4.2): hard to learn, because gradients switch.

A sum passes its gradient to both streams. A maximum passes it, at each position and class, to the larger score alone;
with each update another one may be larger.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fcnlite import data, models
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.masking import preprocessing_of
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.short_training import Example, measure, predict, small_fcn
from fcnlite.analysis.paper.training import running_mean
from fcnlite.arrays import Array
from fcnlite.data import Dataset
from fcnlite.data.loader import blobs
from fcnlite.data.seeding import generator
from fcnlite.description.spec import NetSpec
from fcnlite.net import Net
from fcnlite.segmentation.plots.label_maps import label_image
from fcnlite.solver import SGD

RATES = (0.05, 0.2)
SEEDS = 3
_SIZE = 64
_PICTURES = {"train": 256, "val": 48, "test": 48}
_BATCH = 8
_FUSION = "fuse"


@dataclass(frozen=True)
class Run:
    """A training."""

    net: Net
    losses: list[float]
    switches: list[float]
    """At some iterations, the share of scores of a fixed picture whose larger stream is another than before it."""


def fused_by(operation: str, classes: int) -> NetSpec:
    """The small net with one skip, fused by SUM or MAX."""
    spec = small_fcn(classes, _SIZE)
    layers = (
        replace(each, options={**each.options, "operation": operation}) if each.name == _FUSION else each
        for each in spec
    )
    return replace(spec, layers=tuple(layers))


def larger(net: Net, picture: Array) -> Array:
    """Whether the coarse stream has the larger score, for each class and position of the fusion."""
    coarse, fine = net.layer(_FUSION).spec.bottom
    found = net.share("TEST").forward(data=picture, outputs=[coarse, fine])
    return found[coarse] > found[fine]


def train(spec: NetSpec, examples: Sequence[Example], iterations: int, rate: float, seed: int) -> Run:
    """Train a new net by SGD with a rate that falls to zero."""
    net = Net(spec, phase="TRAIN", seed=seed)
    models.initialize(net)
    solver = SGD(net, base_lr=rate, momentum=0.9, weight_decay=1e-4, lr_policy="poly", power=1.0, max_iter=iterations)
    losses, switches, fixed = [], [], examples[0]["data"][None]
    for iteration in range(iterations):
        chosen = generator("max fusion", seed, iteration).integers(len(examples), size=_BATCH)
        watched = iteration % 10 == 9
        before = larger(net, fixed) if watched else None
        losses.append(solver.step({name: np.stack([examples[i][name] for i in chosen]) for name in examples[0]}))
        if watched:
            switches.append(float((larger(net, fixed) != before).mean()))
    return Run(net.share("TEST"), losses, switches)


def run(settings: Settings, page: Page) -> None:
    """Fill the page with trainings of both fusions, from scratch on generated shapes."""
    iterations = settings.iterations or 200
    sets = {name: data.open("shapes", None, name, size=_SIZE, count=count) for name, count in _PICTURES.items()}
    classes = len(sets["train"].classes)
    examples = {name: _examples(each) for name, each in sets.items()}
    scores: dict[str, list[float]] = {}
    chosen: dict[str, Run] = {}
    rows = []
    for operation in ("SUM", "MAX"):
        spec = fused_by(operation, classes)
        tried = [train(spec, examples["train"], iterations, rate, settings.seed) for rate in RATES]
        validated = [100 * measure(each.net, examples["val"], classes).mean_iu for each in tried]
        rate = RATES[int(np.argmax(validated))]
        runs = [
            train(spec, examples["train"], iterations, rate, seed)
            for seed in range(settings.seed + 1, settings.seed + 1 + SEEDS)
        ]
        scores[operation] = [100 * measure(each.net, examples["test"], classes).mean_iu for each in runs]
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
        f"A small net with one skip, from scratch on {_PICTURES['train']} generated pictures, {iterations} iterations. "
        f"The rate of each fusion is the better of {RATES[0]:g} and {RATES[1]:g} on validation pictures. Figures are "
        f"those of {_PICTURES['test']} test pictures, for {SEEDS} seeds that did not take part in the choice."
    )
    page.table(("fusion", "rate", *(f"seed {settings.seed + 1 + i}" for i in range(SEEDS)), "switches"), rows)
    page.text(
        "Switches are the scores of a fixed picture for which one update, every tenth, changes which stream has the "
        "larger score. With the maximum, the gradient of these scores goes to the other stream from then on. With the "
        "sum, both streams always get it. Both streams start with scores of zero; where scores are equal, the maximum "
        "gives the gradient to the skip."
    )
    page.picture("losses", _chart(chosen), "The loss of the first seed, as a running mean.")
    page.picture("truth", _picture(sets["test"].colors, sets["test"][0].label), "The truth.")
    for operation, each in chosen.items():
        prediction = predict(each.net, examples["test"][:1])[0]
        page.picture(operation.lower(), _picture(sets["test"].colors, prediction), f"Fusion by {operation}.")


def _examples(dataset: Dataset) -> list[Example]:
    preprocessing = preprocessing_of(dataset)
    return [blobs(dataset[i], preprocessing) for i in range(len(dataset))]


def _picture(colors: tuple[tuple[int, int, int], ...], label: Array) -> Array:
    return np.asarray(label_image(label, colors).convert("RGB"))


def _chart(runs: dict[str, Run]) -> Array:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.6, 3.2), dpi=100, layout="constrained")
    axes = figure.subplots()
    for name, each in runs.items():
        axes.plot(range(1, len(each.losses) + 1), running_mean(each.losses), label=name, linewidth=1.5)
    axes.set(xlabel="iterations", ylabel="loss", ylim=0)
    axes.grid(color="#e4e4e4", linewidth=0.6)
    axes.legend(frameon=False)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
