"""Batch size and momentum on a fixed sequence of pictures (PAMI, section 4.2 and table 2).

With a batch of k pictures and momentum p, the step at time t is

    g_t = −rate · Σ_(i<k) ∇l(x_(kt+i); θ_(t−1)) + p · g_(t−1)

The loss is a sum over pixels and pictures. Over all steps, a picture contributes its gradient times rate / (1 − p), so
one rate does not suit all modes. Each mode is therefore trained at several rates, and the modes are compared at their
best ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from fcnlite import data, models
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.tools.budget import REFERENCE_ITERATIONS, seeds_of
from fcnlite.analysis.paper.tools.datasets import data_sets
from fcnlite.analysis.paper.tools.figures import loss_chart
from fcnlite.analysis.paper.tools.small_nets import SMALL, shipped_trunk, small_fcn
from fcnlite.analysis.paper.tools.statistics import METRICS, compare_differences, percentages, spread
from fcnlite.analysis.paper.tools.training import Training, averaged, begin, evaluate, train
from fcnlite.data import Dataset
from fcnlite.description.spec import NetSpec
from fcnlite.errors import SpecError
from fcnlite.net import Net
from fcnlite.surgery import Weights


@dataclass(frozen=True)
class Mode:
    """A way to learn from a sequence of pictures."""

    name: str
    batch: int
    """The pictures whose gradients are summed for an update."""
    momentum: float
    reported: float
    """PAMI's mean IU in percent."""


MODES = (
    Mode("FCN-accum", 20, 0.9, 51.9),
    Mode("FCN-online", 1, 0.9, 60.7),
    Mode("FCN-heavy", 1, 0.99, 63.6),
)
RATES = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
"""Rates for the mean over the pixels of a picture; those of the summed loss are smaller by the number of pixels."""
_PICTURES = 400
_SIZE = 96
_SEEDS = 3


@dataclass(frozen=True)
class Sequence:
    """The net, its start, and the sequence of pictures that all modes learn from."""

    spec: NetSpec
    start: str | Weights
    train_set: Dataset
    pictures: int
    weight_decay: float
    accumulate: bool
    """Whether a batch is passes of one picture, which may differ in size. Its gradient is the same."""

    def learn(self, mode: Mode, rate: float, seed: int) -> tuple[Net, Training]:
        """Train once through the sequence; `rate` is that of the loss summed over pixels and pictures.

        The losses are those of a picture.
        """
        net = begin(self.spec, self.train_set, self.start, seed)
        passes = mode.batch if self.accumulate else 1
        training = train(
            net,
            self.train_set,
            self.pictures // mode.batch,
            batch_size=mode.batch // passes,
            seed=seed,
            # The solver averages the passes of an update; the paper sums them.
            base_lr=rate * passes,
            momentum=mode.momentum,
            iter_size=passes,
            weight_decay=self.weight_decay,
        )
        together = mode.batch // passes
        return net, replace(training, losses=tuple(each / together for each in training.losses))


def run(settings: Settings, page: Page) -> None:
    """Fill the page with the three modes on one sequence of pictures, by default 400 shapes of 96×96 pixels.

    `settings.iterations` is the number of pictures in the sequence.
    """
    train_set, test_set = data_sets(settings, _SIZE)
    pictures = settings.iterations or (_PICTURES if settings.init is None else REFERENCE_ITERATIONS)
    largest = max(mode.batch for mode in MODES)
    if pictures < largest:
        raise SpecError(
            f"the sequence has {pictures} pictures; expected at least {largest}, the largest batch; give more with "
            "--iterations."
        )
    classes = len(train_set.classes)
    if settings.init is None:
        spec = small_fcn(classes, 8, "NONE")
        sequence = Sequence(spec, shipped_trunk(), train_set, pictures, 0.0, settings.train_set is not None)
        rates = {f"{rate:.0e}": rate / train_set[0].label.size for rate in RATES}
        val_set = settings.val_set or data.open("shapes", split="val", size=_SIZE, count=40)
    else:
        spec = models.describe("voc-fcn32s", classes=classes)
        sequence = Sequence(spec, settings.init, train_set, pictures, 5e-4, True)
        rates, val_set = {"1e-10": 1e-10}, test_set
    swept = {(mode, name): sequence.learn(mode, rate, settings.seed) for mode in MODES for name, rate in rates.items()}
    on_val = {
        key: float("nan") if training.diverged else 100 * evaluate(net, val_set).mean_iu
        for key, (net, training) in swept.items()
    }
    best = {mode: max(rates, key=lambda name: np.nan_to_num(on_val[mode, name], nan=-1.0)) for mode in MODES}
    page.heading("Rates and modes")
    page.text(
        (
            SMALL
            if settings.init is None
            else f"The net is FCN-32s of the FCN reference, from the weights in {settings.init}, with the reference's "
            "rate of 1e-10 and weight decay of 0.0005."
        )
        + f" All trainings see the same {pictures} pictures of {train_set.name} in the same order, and the loss is "
        f"summed over pixels and pictures. The table has the mean IU in percent on the split {val_set.split} for each "
        "rate. "
        + (
            "To give rates that are easy to read, they are multiplied by the number of pixels of a picture."
            if settings.init is None
            else "The reference's rate is the one for FCN-heavy."
        )
    )
    page.text(
        "Over all steps, a picture contributes its gradient times rate / (1 − momentum), whatever the batch. At one "
        "rate that is as much for FCN-accum as for FCN-online, and ten times as much for FCN-heavy. FCN-heavy is "
        "therefore ahead at a low rate and behind at a high one. "
        + ("This is why each mode has its own rate here." if len(rates) > 1 else "Only one rate is tried here.")
    )
    page.table(
        ("mode", "batch", "momentum", "updates", *rates, "best rate"),
        [
            (
                mode.name,
                mode.batch,
                mode.momentum,
                pictures // mode.batch,
                *("diverged" if np.isnan(on_val[mode, name]) else f"{on_val[mode, name]:.1f}" for name in rates),
                best[mode],
            )
            for mode in MODES
        ],
    )
    learned = {mode: [swept[mode, best[mode]]] for mode in MODES}
    for seed in list(seeds_of(settings, _SEEDS))[1:]:
        for mode in MODES:
            learned[mode].append(sequence.learn(mode, rates[best[mode]], seed))
    _best(page, learned, {mode: rates[best[mode]] for mode in MODES}, test_set)


def _best(
    page: Page, learned: Mapping[Mode, list[tuple[Net, Training]]], rates: Mapping[Mode, float], test_set: Dataset
) -> None:
    """Add the comparison of the modes, each at its own rate, over several sequences."""
    curves: dict[str, Training] = {}
    rows = []
    mean_iu: dict[str, list[float]] = {}
    for mode, trained in learned.items():
        if any(training.diverged for _, training in trained):
            rows.append((mode.name, f"{rates[mode]:.1e}", *["diverged"] * 4))
            continue
        found = [evaluate(net, test_set) for net, _ in trained]
        curves[mode.name] = averaged([training for _, training in trained])
        mean_iu[mode.name] = [100 * each.mean_iu for each in found]
        columns = zip(*(map(float, percentages(each)) for each in found), strict=True)
        rows.append((mode.name, f"{rates[mode]:.1e}", *(spread(column) for column in columns)))
        page.compare(f"mean IU of {mode.name}", f"reported {mode.reported}", spread(mean_iu[mode.name]))
    page.heading("Each mode at its best rate")
    page.table(("mode", "rate of the sum", *METRICS), rows)
    page.picture(
        "losses",
        loss_chart(curves, by=("pictures",)),
        "The summed loss of a picture, each mode at its best rate, averaged over the seeds.",
    )
    for mode, other in zip(MODES[1:], MODES, strict=False):
        if mode.name in mean_iu and other.name in mean_iu:
            gains = [a - b for a, b in zip(mean_iu[mode.name], mean_iu[other.name], strict=True)]
            compare_differences(
                page,
                f"mean IU of {mode.name} less that of {other.name}",
                f"reported {mode.reported - other.reported:+.1f}",
                gains,
            )
    count = len(learned[MODES[0]])
    page.text(
        f"Each mode learned from {f'{count} sequences, each with its own seed,' if count > 1 else 'one sequence'} and "
        f"is measured on {len(test_set)} pictures of the split {test_set.split}. FCN-online updates twenty times as "
        "often as FCN-accum, with gradients of newer weights."
    )
    heavy, online = (mean_iu.get(mode.name, [0.0]) for mode in (MODES[2], MODES[1]))
    if np.mean(heavy) < np.mean(online):
        page.text(
            "FCN-heavy is behind FCN-online here, unlike in the paper. The sequence may be too short: a momentum of "
            "0.99 averages over about 200 pictures, which is half of the default sequence and a small part of the "
            "paper's 100,000. Try a longer one with --iterations."
        )
