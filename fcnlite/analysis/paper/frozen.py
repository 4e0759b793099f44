"""Fine-tuning all layers, the scores alone, and training from scratch (paper, section 4.3, and tables 2 and 3).

Frozen: every layer below the scores has a learning rate of zero, so the net is a linear classifier of fixed features.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from fcnlite import data, models
from fcnlite.analysis.paper.experiment import Settings
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
    small_net,
    train,
)
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.models.lite import lite_fcn
from fcnlite.solver import AdamW
from fcnlite.surgery import Weights

FINE_TUNED, FROZEN, SCRATCH, NORMALISED = "fine-tuned", "frozen trunk", "from scratch", "from scratch, BatchNorm"
PAPER = {FINE_TUNED: "59.4, reported 63.6", FROZEN: "45.4, reported 46.6", SCRATCH: "infeasible", NORMALISED: None}
"""Mean IU in percent of FCN-32s on VOC 2011 (CVPR, table 2), and in PAMI's table 3."""
_ITERATIONS = 240
_SIZE, _MEASURED = 192, 40
"""The height and width of the generated pictures, and the number of them that measure a net."""


class Way(NamedTuple):
    """A way to learn: the net, the weights that it starts from, and the learning rate."""

    spec: NetSpec
    start: str | Weights | None
    rate: float


def frozen(spec: NetSpec) -> NetSpec:
    """`spec` with a learning rate of zero in every layer that has parameters, except those named after scores."""

    def changed(layer: LayerSpec) -> LayerSpec:
        if "score" in layer.name:
            return layer
        return replace(layer, param=tuple(replace(each, lr_mult=0) for each in layer.param))

    return replace(spec, layers=tuple(map(changed, spec.layers)))


def without_batch_norm(spec: NetSpec) -> NetSpec:
    """`spec` without its BatchNorm layers, which it must have in place; scale and shift stay."""
    return replace(spec, layers=tuple(layer for layer in spec if layer.type != "BatchNorm"))


def run(settings: Settings, page: Page) -> None:
    """Fill the page with the ways to learn, by default of a small FCN-32s on the trunk of the shipped classifier."""
    train_set = settings.train_set or data.open("shapes", split="train", size=_SIZE, count=1000)
    val_set = settings.val_set or data.open("shapes", split="test", size=_SIZE, count=_MEASURED)
    classes = len(train_set.classes)
    ways: dict[str, Way]
    plan: dict[str, Any]
    if settings.init is None:
        spec, start = small_net(classes, 32), shipped_trunk()
        scratch = plain_skips(lite_fcn("lite-fcn32s", classes, WIDTH, "VALID", stride=32))
        ways = {
            FINE_TUNED: Way(spec, start, 0.001),
            FROZEN: Way(frozen(spec), start, 0.003),
            SCRATCH: Way(without_batch_norm(scratch), None, 0.001),
            NORMALISED: Way(scratch, None, 0.001),
        }
        iterations = settings.iterations or _ITERATIONS
        plan = {"batch_size": 4, "rule": AdamW, "lr_policy": "poly", "power": 1.0, "max_iter": iterations}
    else:
        spec = models.describe("voc-fcn32s", classes=classes)
        ways = {
            FINE_TUNED: Way(spec, settings.init, 1e-10),
            FROZEN: Way(frozen(spec), settings.init, 1e-10),
            SCRATCH: Way(spec, None, 1e-10),
        }
        iterations = settings.iterations or 100_000
        plan = {"batch_size": 1, "momentum": 0.99, "weight_decay": 0.0005}
    curves, rows, mean_iu = {}, [], {}
    for name, way in ways.items():
        net = begin(way.spec, train_set, way.start, settings.seed)
        curves[name] = train(net, train_set, iterations, seed=settings.seed, base_lr=way.rate, **plan)
        if curves[name].diverged:
            page.text(f"{name}: the training diverged after {len(curves[name].losses)} iterations.")
            continue
        metrics = evaluate(net, val_set)
        mean_iu[name] = metrics.mean_iu
        rows.append((name, f"{way.rate:g}", f"{curves[name].last_loss():.3f}", *percentages(metrics)))
        del net  # A net of VGG-16's width, with its gradients, has a gigabyte.
    for name in ways:
        page.compare(f"mean IU, {name}", PAPER[name], f"{100 * mean_iu[name]:.1f}" if name in mean_iu else "diverged")
    if FINE_TUNED in mean_iu and FROZEN in mean_iu:
        page.compare(
            "mean IU of the frozen trunk as a share of fine-tuning",
            "70 % (76 % by table 2)",
            f"{100 * mean_iu[FROZEN] / mean_iu[FINE_TUNED]:.0f} %",
        )
    page.table(("way", "rate", "last loss", *METRICS), rows)
    page.picture("losses", loss_chart(curves, by=("iterations",)), "The loss by iteration.")
    page.text(
        f"Data: {train_set.name}, {len(train_set)} pictures to learn from, {len(val_set)} of the split {val_set.split} "
        f"to measure; net: {spec.name}; {iterations} iterations of {plan['batch_size']} for each way. The paper's "
        "figures are of FCN-32s on VOC 2011."
    )
    if settings.init is None:
        page.text(
            "The trunk is that of the shipped classifier, which learned from whole pictures of one shape (the "
            "experiment pre-training) and never saw a label of a pixel. Its BatchNorm layers keep the statistics of "
            "that training, so that the net is one without normalisation, like VGG-16. From scratch, the same net "
            "without BatchNorm starts from random numbers, as VGG-16 would; a second one has BatchNorm with the "
            "statistics of each batch, which the papers did not have. AdamW trains the nets, because a budget this "
            "short does not let SGD adapt the trunk. The rates were chosen on the split val."
        )
