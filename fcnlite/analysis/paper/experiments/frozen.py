"""Fine-tuning all layers, the scores alone, and training from scratch (paper, section 4.3, and tables 2 and 3).

If the trunk is frozen, every layer below the scores has a learning rate of zero, and the net is a linear classifier of
fixed features.
"""

from __future__ import annotations

from dataclasses import replace

from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.tools.budget import CROP, Budget, budget, seeds_of, setting
from fcnlite.analysis.paper.tools.datasets import data_sets
from fcnlite.analysis.paper.tools.figures import loss_chart
from fcnlite.analysis.paper.tools.nets import frozen, reference_fcn, slower
from fcnlite.analysis.paper.tools.small_nets import WIDTH, plain_skips, shipped_trunk, small_fcn
from fcnlite.analysis.paper.tools.statistics import METRICS, percentages
from fcnlite.analysis.paper.tools.training import begin, evaluate
from fcnlite.description.spec import NetSpec
from fcnlite.models.lite import lite_fcn
from fcnlite.solver import AdamW
from fcnlite.surgery import Weights

FINE_TUNED, FROZEN, SCRATCH, NORMALISED = "fine-tuned", "frozen trunk", "from scratch", "from scratch, BatchNorm"
PAPER = {FINE_TUNED: "59.4, reported 63.6", FROZEN: "45.4, reported 46.6", SCRATCH: "infeasible", NORMALISED: None}
"""Mean IU in percent of FCN-32s on VOC 2011 (CVPR, table 2), and in PAMI's table 3."""
_ITERATIONS = 240
_RATE = 0.01
_TRUNK_RATE = 0.1
"""The rate of the small nets' trunk as a share of that of the scores, unless it is frozen."""
_SIZE, _MEASURED = 192, 40
"""The height and width of the generated pictures, and the number of them that measure a net."""


def without_batch_norm(spec: NetSpec) -> NetSpec:
    """`spec` without its BatchNorm layers, which it must have in place; scale and shift stay."""
    return replace(spec, layers=tuple(layer for layer in spec if layer.type != "BatchNorm"))


def run(settings: Settings, page: Page) -> None:
    """Fill the page with the ways to learn, by default of a small FCN-32s on the trunk of the shipped classifier."""
    train_set, test_set = data_sets(settings, _SIZE, test=_MEASURED)
    classes = len(train_set.classes)
    ways: dict[str, tuple[NetSpec, str | Weights | None]]
    if settings.init is None:
        spec, start = small_fcn(classes, 32), shipped_trunk()
        scratch = plain_skips(lite_fcn("lite-fcn32s", classes, WIDTH, "VALID", stride=32))
        ways = {
            FINE_TUNED: (slower(spec, _TRUNK_RATE), start),
            FROZEN: (frozen(spec), start),
            SCRATCH: (slower(without_batch_norm(scratch), _TRUNK_RATE), None),
            NORMALISED: (slower(scratch, _TRUNK_RATE), None),
        }
        iterations = settings.iterations or _ITERATIONS
        options = {"rule": AdamW, "base_lr": _RATE, "lr_policy": "poly", "power": 1.0, "max_iter": iterations}
        crop = None if settings.train_set is None else CROP
        plan = Budget(iterations, 4, seeds_of(settings, 1), options, crop)
    else:
        spec = reference_fcn(classes)
        ways = {FINE_TUNED: (spec, settings.init), FROZEN: (frozen(spec), settings.init), SCRATCH: (spec, None)}
        plan = budget(settings, iterations=_ITERATIONS, rate=_RATE)
    curves, rows, mean_iu = {}, [], {}
    for name, (described, weights) in ways.items():
        net = begin(described, train_set, weights, settings.seed)
        curves[name] = plan.train(net, train_set, settings.seed)
        metrics = evaluate(net, test_set)
        mean_iu[name] = metrics.mean_iu
        rows.append((name, f"{curves[name].last_loss():.3f}", *percentages(metrics)))
        del net  # A net of VGG-16's width, with its gradients, has a gigabyte.
    for name, value in mean_iu.items():
        page.compare(f"mean IU, {name}", PAPER[name], f"{100 * value:.1f}")
    share = mean_iu[FROZEN] / (mean_iu[FINE_TUNED] or float("nan"))
    words = "mean IU of the frozen trunk as a share of fine-tuning"
    page.compare(words, "70 % (76 % by table 2)", f"{100 * share:.0f} %")
    page.table(("way", "last loss", *METRICS), rows)
    page.picture("losses", loss_chart(curves, by=("iterations",)), "The loss by iteration.")
    page.text(
        setting(settings, f"The net is {spec.name}.", plan, train_set, test_set)
        + " The paper's figures are those of FCN-32s on VOC 2011."
    )
    if settings.init is None:
        page.text(
            "The trunk is that of the shipped classifier, which learned from whole pictures of one shape (the "
            "experiment pre-training) and never saw the label of a pixel. Its BatchNorm layers keep the statistics of "
            "that training, so they are fixed factors, and the net has no normalisation, like VGG-16. From scratch, "
            "the same net without BatchNorm starts from random weights, as VGG-16 would. A second net from scratch has "
            "BatchNorm with the statistics of each batch, which the papers' nets do not have. AdamW trains all nets, "
            "because SGD changes the trunk too little in so short a training. The trunk learns at "
            f"{_TRUNK_RATE:g} times the rate of the scores. Both rates were chosen for fine-tuning and for the frozen "
            "trunk; the nets from scratch have the same."
        )
