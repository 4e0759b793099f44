"""Fine-tuning all layers, the scores alone, and training from scratch (paper, section 4.3, and tables 2 and 3).

Frozen: every layer below the scores has a learning rate of zero, so the net is a linear classifier of fixed features.
"""

from __future__ import annotations

from dataclasses import replace

from fcnlite import data, models
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.training import (
    METRICS,
    begin,
    evaluate,
    loss_chart,
    percentages,
    shipped_trunk,
    train,
)
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.surgery import Weights

FINE_TUNED, FROZEN, SCRATCH = "fine-tuned", "frozen trunk", "from scratch"
_ITERATIONS = 80


def frozen(spec: NetSpec) -> NetSpec:
    """`spec` with a learning rate of zero in every layer that has parameters, except those named after scores."""

    def changed(layer: LayerSpec) -> LayerSpec:
        if "score" in layer.name:
            return layer
        return replace(layer, param=tuple(replace(each, lr_mult=0) for each in layer.param))

    return replace(spec, layers=tuple(map(changed, spec.layers)))


def run(settings: Settings, page: Page) -> None:
    """Fill the page with the three ways, by default of a small FCN-8s on the shipped trunk."""
    train_set = settings.train_set or data.open("shapes", split="train", size=64, count=1000)
    val_set = settings.val_set or data.open("shapes", split="val", size=64, count=40)
    classes = len(train_set.classes)
    start: str | Weights
    if settings.init is None:
        spec, start = models.describe("lite-fcn8s", classes=classes, width=1 / 8), shipped_trunk()
        rate, momentum, batch_size, iterations = 0.01, 0.9, 4, settings.iterations or _ITERATIONS
    else:
        spec, start = models.describe("voc-fcn32s", classes=classes), settings.init
        rate, momentum, batch_size, iterations = 1e-10, 0.99, 1, settings.iterations or 100_000
    ways: dict[str, tuple[NetSpec, str | Weights | None]] = {
        FINE_TUNED: (spec, start),
        FROZEN: (frozen(spec), start),
        SCRATCH: (spec, None),
    }
    curves, rows, mean_iu = {}, [], {}
    for name, (described, weights) in ways.items():
        net = begin(described, train_set, weights, settings.seed)
        curves[name] = train(
            net,
            train_set,
            iterations,
            batch_size=batch_size,
            seed=settings.seed,
            base_lr=rate,
            momentum=momentum,
        )
        metrics = evaluate(net, val_set)
        mean_iu[name] = metrics.mean_iu
        rows.append((name, f"{curves[name].last_loss():.3f}", *percentages(metrics)))
    paper = {FINE_TUNED: "59.4", FROZEN: "45.4", SCRATCH: "infeasible"}
    for name, value in mean_iu.items():
        page.compare(f"mean IU, {name}", paper[name], f"{100 * value:.1f}")
    page.compare(
        "mean IU of the frozen trunk as a share of fine-tuning",
        "70 % (76 % by table 2)",
        f"{100 * mean_iu[FROZEN] / mean_iu[FINE_TUNED]:.0f} %",
    )
    page.table(("way", "last loss", *METRICS), rows)
    page.picture("losses", loss_chart(curves, by=("iterations",)), "The loss by iteration.")
    page.text(
        f"Data: {train_set.name}; net: {spec.name}; {iterations} iterations of {batch_size} pictures, rate {rate}, "
        f"momentum {momentum} for each way. The paper's figures are of FCN-32s on VOC 2011."
    )
    if settings.init is None:
        page.text(
            "The trunk is that of the shipped net shapes-fcn8s, which was trained on such shapes. A trunk trained on "
            "the same task loses little when it is frozen; one trained on ImageNet has to adapt from whole pictures to "
            "pixels. From scratch, the net needs a far longer training than this; the paper's trunk also has no "
            "BatchNorm, with which the small net can learn from scratch at all."
        )
