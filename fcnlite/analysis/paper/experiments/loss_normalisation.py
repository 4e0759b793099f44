"""Why the reference's learning rate is 1e-10: the loss is a sum over pixels (section 4.3; PAMI, section 4.2).

    summed      L = Σ_i l_i              ∂L/∂w = Σ_i ∂l_i/∂w
    normalised  L = (1/N) Σ_i l_i        ∂L/∂w = (1/N) Σ_i ∂l_i/∂w        N pixels that are not void

An update w ← w − rate · (∂L/∂w + decay · w) is the same for both if the summed loss has rate / N and N · decay.
Momentum does not change this, because the velocity is a sum of such updates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fcnlite import data, models
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.tools.figures import loss_chart
from fcnlite.analysis.paper.tools.training import Training, begin, train
from fcnlite.arrays import Array
from fcnlite.data import VOID, Dataset
from fcnlite.data.dataset import read_sample
from fcnlite.data.loader import blobs
from fcnlite.description.spec import NetSpec
from fcnlite.solver import SGD

RATE = 1e-5
"""The learning rate of the normalised loss in the small runs."""
REFERENCE_RATE = 1e-10
"""The rate of FCN-32s in the FCN reference, for the loss summed over a picture."""
PICTURE = 500 * 500
"""The pixels of a picture of PASCAL VOC, about."""
_SUMMED, _NORMALISED = "BATCH_SIZE", "VALID"
_STEPS = 5
_ITERATIONS = 80
_COUNTED = 100
"""The label maps in which pixels are counted."""
_DECAY = 0.0005


@dataclass(frozen=True)
class Steps:
    """The parameters after some steps, and how far they are from those at the start."""

    params: tuple[Array, ...]
    moved: float
    """The largest change of a parameter."""


@dataclass(frozen=True)
class Case:
    """A training with one of the losses at one rate."""

    name: str
    """The loss: summed or normalised."""
    rate: float
    pixels: float
    """The pixels that the loss sums over; 1 if it is normalised."""
    training: Training

    def per_pixel(self, most: float = float("inf")) -> Training:
        """The training with the loss of a pixel, at most `most`."""
        return replace(self.training, losses=tuple(min(each / self.pixels, most) for each in self.training.losses))

    def at_end(self) -> str:
        """The loss of a pixel in the last tenth of the iterations."""
        return "infinity" if self.training.diverged else f"{self.per_pixel().last_loss():.3f}"

    def verdict(self, start: float) -> str:
        """What a user sees, if `start` is the loss of equal scores for all classes."""
        if self.training.diverged:
            return f"diverges after {len(self.training.losses)} iterations"
        change = start - self.per_pixel().last_loss()
        if change > 0.05 * start:
            return "learns"
        return f"learns nothing: the loss {'grows' if change < -0.05 * start else 'does not move'}"


def normalised_rate(rate: float, pixels: int) -> float:
    """The rate for the loss normalised over `pixels` that makes the updates of `rate` for the summed loss."""
    return rate * pixels


def steps(
    spec: NetSpec, dataset: Dataset, count: int, *, base_lr: float, weight_decay: float = 0.0, seed: int = 0
) -> Steps:
    """Take `count` steps of SGD with momentum 0.9 on the first picture of `dataset`."""
    net = begin(spec, dataset, seed=seed)
    before = [parameter.data.copy() for _, parameter in net.learnable()]
    solver = SGD(net, base_lr=base_lr, momentum=0.9, weight_decay=weight_decay)
    batch = {name: each[None] for name, each in blobs(read_sample(dataset, 0), net.info.preprocessing).items()}
    for _ in range(count):
        solver.step(batch)
    after = tuple(parameter.data.copy() for _, parameter in net.learnable())
    return Steps(after, max(float(np.abs(b - a).max()) for a, b in zip(before, after, strict=True)))


def difference(a: Steps, b: Steps) -> float:
    """The largest difference of two parameters, as a share of the largest change by the steps."""
    largest = max(float(np.abs(x - y).max()) for x, y in zip(a.params, b.params, strict=True))
    return largest / max(a.moved, b.moved)


def counted(labels: Sequence[Array]) -> float:
    """The mean number of pixels of a label map that are not void."""
    return float(np.mean([np.count_nonzero(label != VOID) for label in labels]))


def run(settings: Settings, page: Page) -> None:
    """Fill the page: equal updates on a small picture, then the trap of 1e-10 on pictures of 500×500 pixels."""
    _equal_updates(settings, page)
    _trap(settings, page)


def _nets(settings: Settings, classes: int) -> tuple[NetSpec, NetSpec]:
    """FCN-32s with the summed and with the normalised loss: of a sixteenth of its width, or whole for given weights."""
    width = 1 if settings.init else 1 / 16
    summed, normalised = (
        models.describe("voc-fcn32s", classes=classes, width=width, normalization=each)
        for each in (_SUMMED, _NORMALISED)
    )
    return summed, normalised


def _equal_updates(settings: Settings, page: Page) -> None:
    """Add the comparison of a few steps with both losses, whose rates differ by the number of pixels."""
    dataset = settings.train_set or data.open("shapes", split="train", size=64, count=1)
    summed, normalised = _nets(settings, len(dataset.classes))
    pixels = int(counted([np.asarray(dataset[0].label)]))
    same = difference(
        steps(normalised, dataset, _STEPS, base_lr=RATE, weight_decay=_DECAY, seed=settings.seed),
        steps(summed, dataset, _STEPS, base_lr=RATE / pixels, weight_decay=_DECAY * pixels, seed=settings.seed),
    )
    page.compare(
        "rate of FCN-32s for the summed loss, as a rate for the mean over 500×500 pixels",
        REFERENCE_RATE,
        f"{normalised_rate(REFERENCE_RATE, PICTURE):.2g}",
        "the CVPR paper trains the same net with batches of 20 at 1e-4",
    )
    page.compare(
        f"largest difference of a parameter after {_STEPS} steps, as a share of its largest change",
        None,
        f"{same:.1e}",
        f"normalised at {RATE}, summed at {RATE} / {pixels}: equal to rounding",
    )
    page.heading("Equal updates")
    page.text(
        f"The picture has {pixels} pixels that are not void. The gradient of the summed loss is {pixels} times that of "
        f"the normalised loss, so the same update needs a rate that is {pixels} times smaller. Weight decay is added "
        "to the gradient before the rate multiplies the sum, so the decay of the summed loss must be as many times "
        "larger. With the reference's decay of 0.0005 at a rate of 1e-10, a step takes 5e-14 of a weight: even with "
        "momentum 0.99, less than a millionth of a weight in 100,000 iterations. The reference has practically no "
        "decay."
    )


def trap(settings: Settings, dataset: Dataset, iterations: int) -> list[Case]:
    """Train with both losses at the reference's rate, and at this rate times the mean number of pixels."""
    pixels = counted([np.asarray(dataset[i].label) for i in range(min(len(dataset), iterations, _COUNTED))])
    found = []
    for name, spec in zip(("summed", "normalised"), _nets(settings, len(dataset.classes)), strict=True):
        for rate in (REFERENCE_RATE, REFERENCE_RATE * pixels):
            net = begin(spec, dataset, settings.init, settings.seed)
            training = train(
                net,
                dataset,
                iterations,
                seed=settings.seed,
                base_lr=rate,
                momentum=0.99,
                weight_decay=_DECAY,
            )
            found.append(Case(name, rate, pixels if name == "summed" else 1.0, training))
    return found


def _printed(loss: float) -> str:
    return f"{loss:,.0f}" if loss >= 1000 else f"{loss:.4f}"


def _trap(settings: Settings, page: Page) -> None:
    """Add the four trainings: the table of what a user sees, and their losses in one chart."""
    dataset = settings.train_set or data.open("shapes", split="train", size=500, count=1000)
    iterations = settings.iterations or (_ITERATIONS if settings.init is None else 100_000)
    cases = trap(settings, dataset, iterations)
    start = np.log(len(dataset.classes))
    for case in cases:
        page.compare(
            f"loss of a pixel, {case.name} loss at a rate of {case.rate:.2g}",
            "learns" if case.name == "summed" and case.rate == REFERENCE_RATE else None,
            f"{start:.3f} to {case.at_end()}",
            case.verdict(start),
        )
    page.heading("The trap")
    page.table(
        ("loss", "rate", "first loss in the log", "last loss in the log", "loss of a pixel at the end", "what it does"),
        [
            (
                case.name,
                f"{case.rate:.2g}",
                *(_printed(case.training.losses[place]) for place in (0, -1)),
                case.at_end(),
                case.verdict(start),
            )
            for case in cases
        ],
    )
    shown = {f"{case.name}, {case.rate:.2g}": case.per_pixel(most=2 * start) for case in cases}
    page.picture(
        "losses",
        loss_chart(shown, by=("iterations",)),
        f"The loss of a pixel in each of the trainings. Losses above {2 * start:.2f} are drawn at that height. The "
        "curves of the summed loss at the lower rate and of the normalised loss at the higher rate coincide.",
    )
    right = cases[-1].rate
    small = "" if settings.init else " of a sixteenth of its width, from random weights,"
    page.text(
        f"FCN-32s{small} learns from single pictures of {dataset.name} in {iterations} iterations, with momentum 0.99 "
        f"and decay 0.0005, as in the FCN reference. A picture has about {cases[0].pixels:,.0f} pixels that are not "
        "void. The rate 1e-10 looks like a property of the net, but it belongs to a sum over these pixels: for their "
        f"mean it is {right:.2g}."
    )
    page.text(
        f"At 1e-10 a normalised loss stays at ln {len(dataset.classes)} = {start:.3f}, the loss of equal scores for "
        "all classes, and nothing reports an error. At the rate of the normalised loss, a summed loss becomes infinite "
        "or NaN within a few iterations. The first line of the log tells which rate to take: a first loss in the "
        "hundred thousands is a sum, and one near the logarithm of the number of classes is a mean."
    )
    if settings.init is None:
        page.text(
            "From random weights, so short a training learns little more than how frequent the classes are. That is "
            "enough to tell a loss that falls from one that does not."
        )
