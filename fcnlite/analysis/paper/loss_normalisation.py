"""Why the reference's learning rates are 1e-10: the loss is a sum over pixels (paper, section 4.3; PAMI, section 4.2).

    summed      L = Σ_i l_i              ∂L/∂w = Σ_i ∂l_i/∂w
    normalised  L = (1/N) Σ_i l_i        ∂L/∂w = (1/N) Σ_i ∂l_i/∂w        N pixels that are not void

An update w ← w − rate · (∂L/∂w + decay · w) is therefore the same for both if the summed loss has rate / N and N ·
decay. Momentum does not change this, because the velocity is a sum of such updates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fcnlite import data, models
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.training import begin, loss_chart, train
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
_ITERATIONS = 60
_DECAY = 0.0005


@dataclass(frozen=True)
class Steps:
    """The parameters after some steps, and how far they are from those at the start."""

    params: tuple[Array, ...]
    moved: float
    """The largest change of a parameter."""


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
    """Fill the page: equal updates, then both losses at each other's rates, on generated shapes of 64×64 pixels."""
    dataset = settings.train_set or data.open("shapes", split="train", size=64, count=200)
    classes = len(dataset.classes)
    summed, normalised = (
        models.describe("voc-fcn32s", classes=classes, width=1 if settings.init else 1 / 16, normalization=each)
        for each in (_SUMMED, _NORMALISED)
    )
    pixels = int(counted([np.asarray(dataset[0].label)]))
    seed = settings.seed
    same = difference(
        steps(normalised, dataset, _STEPS, base_lr=RATE, weight_decay=_DECAY, seed=seed),
        steps(summed, dataset, _STEPS, base_lr=RATE / pixels, weight_decay=_DECAY * pixels, seed=seed),
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
    page.text(
        f"The first picture has {pixels} pixels that are not void. The gradient of the summed loss is {pixels} times "
        "that of the normalised loss, so the same update needs a rate that is as many times smaller. Weight decay is "
        f"added to the gradient before the rate multiplies it. The runs are equal only if the decay of the summed loss "
        f"is {pixels} times larger. With the reference's decay of 0.0005 at a rate of 1e-10, the decay of a step is "
        "5e-14 of a weight: even with momentum 0.99 it takes less than a millionth of a weight in 100,000 iterations."
    )
    iterations = settings.iterations or _ITERATIONS
    mean = counted([np.asarray(dataset[i].label) for i in range(min(len(dataset), iterations))])
    runs = {
        (loss, rate): train(begin(spec, dataset, settings.init, seed), dataset, iterations, base_lr=rate, momentum=0.9)
        for loss, spec in (("summed", summed), ("normalised", normalised))
        for rate in (RATE, RATE / mean, REFERENCE_RATE)
    }
    page.heading("One rate does not suit both losses")
    rows = []
    for (loss, rate), training in runs.items():
        divisor = mean if loss == "summed" else 1
        per_pixel = [each / divisor for each in training.losses]
        outcome = (
            f"diverges at iteration {len(per_pixel)}"
            if training.diverged
            else f"{np.mean(per_pixel[-max(1, iterations // 10) :]):.3f}"
        )
        rows.append((loss, f"{rate:.2g}", f"{per_pixel[0]:.3f}" if per_pixel else "–", outcome))
    page.table(("loss", "rate", "loss of a pixel at the start", "at the end"), rows)
    page.text(
        f"Each run has {iterations} iterations on single pictures with momentum 0.9. The table divides the summed "
        f"losses by the mean number of pixels, {mean:.0f}. Equal scores for all classes have a loss of "
        f"{np.log(classes):.3f} a pixel. The trap: 1e-10 looks like a property of the net, but it is the rate for a "
        "sum over 250,000 pixels. The normalised loss at this rate leaves the net as it was, and the summed loss at "
        "the rate of the normalised one destroys the net."
    )
    shown = {f"{loss}, {rate:.2g}": runs[loss, rate] for loss, rate in runs if loss == "normalised"}
    page.picture("losses", loss_chart(shown, by=("iterations",)), "The normalised loss at the three rates.")
