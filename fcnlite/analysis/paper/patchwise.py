"""Patchwise training is loss sampling (paper, section 3.4 and figure 5).

A loss over a whole picture is a sum over the units below it, one for each patch (the receptive field of the unit). A
batch of some patches of the picture is the same sum over some of the units: each is kept with probability p, and the
batch gets 1/p as many pictures, so that the number of patches stays the same. A step then costs 1/p times as much,
because the units that are left out are computed all the same.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from fcnlite import data, models
from fcnlite.analysis.dense import sample_loss
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.training import (
    METRICS,
    begin,
    evaluate,
    fixed_statistics,
    loss_chart,
    percentages,
    shipped_trunk,
    train,
)
from fcnlite.arrays import Array
from fcnlite.errors import SpecError
from fcnlite.surgery import Weights

SHARES = (1.0, 0.5, 0.25)
"""The shares of figure 5."""
_ITERATIONS = 60
_BATCH = 2
_RATE = 0.01


def batch_size(whole: int, keep: float) -> int:
    """The pictures of a batch with as many patches as `whole` pictures have, if a share `keep` of them is kept.

    Raises `SpecError` for a share that is not above 0 and at most 1.
    """
    if not 0 < keep <= 1:
        raise SpecError(f"the share of patches is {keep}; expected above 0, at most 1.")
    return max(1, round(whole / keep))


def sampled(label: Array, rng: np.random.Generator, *, keep: float) -> Array:
    """`label` with each position kept with probability `keep`; see `sample_loss`."""
    return sample_loss(label, keep, rng)


def run(settings: Settings, page: Page) -> None:
    """Fill the page with the losses of the three shares, by default of a small FCN-8s on generated shapes."""
    train_set = settings.train_set or data.open("shapes", split="train", size=64, count=1000)
    val_set = settings.val_set or data.open("shapes", split="val", size=64, count=50)
    whole = 1 if settings.train_set else _BATCH
    spec = models.describe(
        settings.model or ("voc-fcn8s" if settings.init else "lite-fcn8s"),
        classes=len(train_set.classes),
        width=1 if settings.model or settings.init else 1 / 8,
        normalization="VALID",
    )
    start: str | Weights | None = settings.init
    if settings.init is None and settings.model is None:
        spec, start = fixed_statistics(spec), shipped_trunk()
    iterations = settings.iterations or _ITERATIONS
    runs, rows = {}, []
    for keep in SHARES:
        net = begin(spec, train_set, start, settings.seed)
        training = train(
            net,
            train_set,
            iterations,
            batch_size=batch_size(whole, keep),
            label=partial(sampled, keep=keep),
            seed=settings.seed,
            base_lr=_RATE,
            momentum=0.9,
        )
        name = f"{100 * keep:.0f} %"
        runs[name] = training
        rows.append(
            (
                name,
                batch_size(whole, keep),
                f"{training.last_loss():.3f}",
                f"{1000 * training.step_seconds():.0f}",
                *percentages(evaluate(net, val_set)),
            )
        )
    first = next(iter(runs.values()))
    for name, training in list(runs.items())[1:]:
        page.compare(
            f"loss after {iterations} iterations with {name} of the patches, less that of whole pictures",
            "no significant effect on the rate of convergence by iteration",
            f"{training.last_loss() - first.last_loss():+.3f}",
            f"of a loss that fell from {first.losses[0]:.3f} to {first.last_loss():.3f}",
        )
        page.compare(
            f"time of a step with {name} of the patches, as a multiple of whole pictures",
            "significantly more time",
            f"{training.step_seconds() / first.step_seconds():.1f}",
        )
    page.table(("share", "pictures in a batch", "last loss", "ms a step", *METRICS), rows)
    page.picture("losses", loss_chart(runs), "Figure 5: the loss by iteration (left) and by time (right).")
    page.text(
        "Sampling leaves out units of the loss, not of the net: the net computes all of them, and only the labels of "
        "the others become void. So each share sees the same number of patches in an iteration, from more pictures. "
        "The paper finds that this does not change the convergence by iteration, so that whole pictures are ahead by "
        "time: a step with a quarter of the patches computes four times as many pictures."
    )
    page.text(
        f"Data: {train_set.name}, {len(train_set)} pictures; net: {spec.name}, rate {_RATE}, momentum 0.9, loss "
        "normalised over the positions that are kept. The loss is sampled at the pixels here; the paper samples the "
        "cells of the final layer, before upsampling. Time is that of the processor. The curves are running means over "
        "a tenth of the iterations."
    )
    if start is not settings.init:
        page.text(
            "The net starts from the shipped net shapes-fcn8s with scores of zero, and keeps its BatchNorm statistics: "
            "with statistics of the batch, larger batches would help for another reason."
        )
