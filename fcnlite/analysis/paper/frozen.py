"""Fine-tuning all layers, the scores alone, and training from scratch (paper, section 4.3, and tables 2 and 3).

Frozen: every layer below the scores has a learning rate of zero, so the net is a linear classifier of fixed features.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from fcnlite import data, models
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.miniature import CROP, check_finite
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.training import (
    METRICS,
    WIDTH,
    begin,
    evaluate,
    loss_chart,
    percentages,
    plain_skips,
    shipped_trunk,
    slower,
    small_net,
    train_with,
)
from fcnlite.data.transforms import Augment
from fcnlite.description.spec import NetSpec
from fcnlite.models.lite import lite_fcn
from fcnlite.solver import SGD, AdamW, Solver
from fcnlite.surgery import Weights

FINE_TUNED, FROZEN, SCRATCH, NORMALISED = "fine-tuned", "frozen trunk", "from scratch", "from scratch, BatchNorm"
PAPER = {FINE_TUNED: "59.4, reported 63.6", FROZEN: "45.4, reported 46.6", SCRATCH: "infeasible", NORMALISED: None}
"""Mean IU in percent of FCN-32s on VOC 2011 (CVPR, table 2), and in PAMI's table 3."""
_ITERATIONS = 240
_TRUNK_RATE = 0.1
"""The rate of the small nets' trunk as a share of that of the scores, unless it is frozen."""
_SIZE, _MEASURED = 192, 40
"""The height and width of the generated pictures, and the number of them that measure a net."""


def frozen(spec: NetSpec) -> NetSpec:
    """`spec` with a learning rate of zero in every layer that has parameters, except those named after scores."""
    return slower(spec, 0)


def without_batch_norm(spec: NetSpec) -> NetSpec:
    """`spec` without its BatchNorm layers, which it must have in place; scale and shift stay."""
    return replace(spec, layers=tuple(layer for layer in spec if layer.type != "BatchNorm"))


def run(settings: Settings, page: Page) -> None:
    """Fill the page with the ways to learn, by default of a small FCN-32s on the trunk of the shipped classifier."""
    train_set = settings.train_set or data.open("shapes", split="train", size=_SIZE, count=1000)
    val_set = settings.val_set or data.open("shapes", split="test", size=_SIZE, count=_MEASURED)
    classes = len(train_set.classes)
    ways: dict[str, tuple[NetSpec, str | Weights | None]]
    rule: Callable[..., Solver]
    options: dict[str, Any]
    if settings.init is None:
        spec, start = small_net(classes, 32), shipped_trunk()
        scratch = plain_skips(lite_fcn("lite-fcn32s", classes, WIDTH, "VALID", stride=32))
        ways = {
            FINE_TUNED: (slower(spec, _TRUNK_RATE), start),
            FROZEN: (frozen(spec), start),
            SCRATCH: (slower(without_batch_norm(scratch), _TRUNK_RATE), None),
            NORMALISED: (slower(scratch, _TRUNK_RATE), None),
        }
        rule, rate, batch_size, iterations = AdamW, 0.01, 4, settings.iterations or _ITERATIONS
        options = {"lr_policy": "poly", "power": 1.0, "max_iter": iterations}
    else:
        spec = models.describe("voc-fcn32s", classes=classes)
        ways = {FINE_TUNED: (spec, settings.init), FROZEN: (frozen(spec), settings.init), SCRATCH: (spec, None)}
        rule, rate, batch_size, iterations = SGD, 1e-10, 1, settings.iterations or 100_000
        options = {"momentum": 0.99, "weight_decay": 0.0005}
    augment = Augment(crop=None if settings.train_set is None or batch_size == 1 else CROP)
    curves, rows, mean_iu = {}, [], {}
    for name, (described, weights) in ways.items():
        net = begin(described, train_set, weights, settings.seed)
        solver = rule(net, base_lr=rate, **options)
        curves[name] = train_with(
            solver, train_set, iterations, batch_size=batch_size, augment=augment, seed=settings.seed
        )
        check_finite(name, curves[name])
        metrics = evaluate(net, val_set)
        mean_iu[name] = metrics.mean_iu
        rows.append((name, f"{curves[name].last_loss():.3f}", *percentages(metrics)))
        del net, solver  # A net of VGG-16's width, with its gradients, has a gigabyte.
    for name, value in mean_iu.items():
        page.compare(f"mean IU, {name}", PAPER[name], f"{100 * value:.1f}")
    page.compare(
        "mean IU of the frozen trunk as a share of fine-tuning",
        "70 % (76 % by table 2)",
        f"{100 * mean_iu[FROZEN] / mean_iu[FINE_TUNED]:.0f} %",
    )
    page.table(("way", "last loss", *METRICS), rows)
    page.picture("losses", loss_chart(curves, by=("iterations",)), "The loss by iteration.")
    pictures = "one picture" if batch_size == 1 else f"{batch_size} pictures"
    page.text(
        f"Data: {train_set.name}, {len(train_set)} pictures to learn from, {len(val_set)} of the split {val_set.split} "
        f"to measure; net: {spec.name}; {iterations} iterations of {pictures} for each way. The paper's figures are of "
        "FCN-32s on VOC 2011."
    )
    if settings.init is None:
        page.text(
            "The trunk is that of the shipped classifier, which learned from whole pictures of one shape (the "
            "experiment pre-training) and never saw a label of a pixel. Its BatchNorm layers keep the statistics of "
            "that training, so that the net is one without normalisation, like VGG-16. From scratch, the same net "
            "without BatchNorm starts from random numbers, as VGG-16 would; a second one has BatchNorm with the "
            "statistics of each batch, which the papers did not have. AdamW trains the nets: in a budget "
            f"this short SGD adapts the trunk less. The scores learn at the rate {rate:g}, the trunk at "
            f"{_TRUNK_RATE:g} times that. The rate falls to 0. Rates were chosen on the split val for fine-tuning and "
            "for the frozen trunk."
        )
