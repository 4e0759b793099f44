"""Batch size and momentum on a fixed sequence of pictures (PAMI, section 4.2 and table 2; section 6.2).

With a batch of k pictures and momentum p, the step at time t is

    g_t = −rate · Σ_(i<k) ∇l(x_(kt+i); θ_(t−1)) + p · g_(t−1)

so the j-th most recent picture has the weight p^⌊j/k⌋. Without the floor it is (p^(1/k))^j: a large batch with low
momentum weights pictures like a batch of one with a momentum of p^(1/k). All weights together are k / (1 − p) pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

from fcnlite import data, models
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.loss_normalisation import counted
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.training import (
    METRICS,
    Training,
    begin,
    evaluate,
    fixed_statistics,
    loss_chart,
    percentages,
    shipped_trunk,
    train,
)
from fcnlite.errors import SpecError
from fcnlite.surgery import Weights


@dataclass(frozen=True)
class Mode:
    """A way to learn from a sequence of pictures."""

    name: str
    batch: int
    """The pictures whose gradients are summed for an update."""
    momentum: float
    reported: str
    """PAMI's mean IU in percent."""


MODES = (
    Mode("FCN-accum", 20, 0.9, "reported 51.9"),
    Mode("FCN-online", 1, 0.9, "reported 60.7"),
    Mode("FCN-heavy", 1, 0.99, "reported 63.6"),
)
_PICTURES = 400
_RATES = (1e-4, 1e-3)
"""Rates for the loss as a mean over pixels; those of the summed loss are smaller by the number of pixels."""


def equivalent_momentum(momentum: float, batch: int) -> float:
    """p^(1/k): the momentum for single pictures that weights past pictures like batches of k with momentum p.

    Raises `SpecError` for a momentum outside 0…1 or a batch below 1.
    """
    if not 0 <= momentum < 1 or batch < 1:
        raise SpecError(
            f"momentum {momentum} with batches of {batch}: expected 0 or more, below 1, and at least one picture."
        )
    return float(momentum ** (1 / batch))


def past_weights(momentum: float, batch: int, count: int) -> list[float]:
    """p^⌊j/k⌋: the weight in a step of each of the `count` most recent pictures, the latest first."""
    return [momentum ** (j // batch) for j in range(count)]


def run(settings: Settings, page: Page) -> None:
    """Fill the page with the three modes on one sequence of pictures, by default 400 shapes of 64×64 pixels.

    `settings.iterations` is the number of pictures in the sequence.
    """
    train_set = settings.train_set or data.open("shapes", split="train", size=64, count=1000)
    val_set = settings.val_set or data.open("shapes", split="val", size=64, count=40)
    pictures = settings.iterations or (_PICTURES if settings.init is None else 100_000)
    largest = max(mode.batch for mode in MODES)
    if pictures < largest:
        raise SpecError(f"the sequence has {pictures} pictures; expected at least {largest}, the largest batch.")
    classes = len(train_set.classes)
    start: str | Weights
    if settings.init is None:
        spec = fixed_statistics(models.describe("lite-fcn8s", classes=classes, width=1 / 8, normalization="BATCH_SIZE"))
        start, decay = shipped_trunk(), 0.0
        pixels = counted([train_set[i].label for i in range(min(100, len(train_set)))])
        rates = [rate / pixels for rate in _RATES]
    else:
        spec, start = models.describe("voc-fcn32s", classes=classes), settings.init
        decay, rates = 5e-4, [1e-10]
    curves: dict[str, Training] = {}
    rows = []
    for rate in rates:
        for mode in MODES:
            net = begin(spec, train_set, start, settings.seed)
            # The solver averages the passes of an update; the paper sums them.
            training = train(
                net,
                train_set,
                pictures // mode.batch,
                seed=settings.seed,
                base_lr=rate * mode.batch,
                momentum=mode.momentum,
                iter_size=mode.batch,
                weight_decay=decay,
            )
            scores = ["diverged"] * 4 if training.diverged else percentages(evaluate(net, val_set))
            rows.append((f"{rate:.1e}", mode.name, mode.batch, mode.momentum, len(training.losses), *scores))
            if rate == rates[0]:
                curves[mode.name] = training
                page.compare(f"mean IU of {mode.name}", mode.reported, scores[2], f"rate {rate:.1e} for all three")
    page.compare(
        "momentum for single pictures that is equivalent to 0.9 with batches of 20",
        "reported about 0.99",
        f"{equivalent_momentum(0.9, 20):.3f}",
        "0.9^(1/20)",
    )
    page.table(("rate", "mode", "batch", "momentum", "updates", *METRICS), rows)
    page.picture("losses", loss_chart(curves, by=("pictures",)), f"The summed loss by picture at rate {rates[0]:.1e}.")
    page.text(
        f"All runs see the same {pictures} pictures of {train_set.name} in the same order, with the loss summed over "
        "pixels and the gradients summed over the batch. A picture then contributes rate / (1 − momentum) of its "
        "gradient in all, whatever the batch: the same for accumulated and online learning, ten times as much for "
        "heavy learning. Online learning gains on accumulated learning because it updates twenty times as often, so "
        "that each gradient is of newer weights."
    )
    if len(rates) > 1:
        page.text(
            "The second rate is ten times the first. Compare online learning at the second with heavy learning at the "
            "first: a picture contributes as much in both. A higher momentum is worth most where the rate is too low; "
            "at a rate that suits online learning in so short a sequence, it can be too much."
        )
