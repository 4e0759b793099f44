"""Training with and without dropout (section 4.3).

Dropout sets features to zero at random while a net learns. The paper's nets keep VGG-16's dropout after fc6 and fc7.
"""

from __future__ import annotations

from dataclasses import replace

from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.tools.budget import budget, setting
from fcnlite.analysis.paper.tools.datasets import data_sets
from fcnlite.analysis.paper.tools.figures import loss_chart
from fcnlite.analysis.paper.tools.small_nets import SMALL, small_or_given
from fcnlite.analysis.paper.tools.statistics import METRICS, compare_differences, spread
from fcnlite.analysis.paper.tools.training import averaged
from fcnlite.analysis.paper.tools.ways import Way, compare
from fcnlite.description.spec import LayerSpec, NetSpec

_ITERATIONS = 160
_PICTURES = 60
_RATE = 0.02
_AFTER = "relu6"
_RATIO = 0.5


def with_dropout(spec: NetSpec, after: str = _AFTER, ratio: float = _RATIO) -> NetSpec:
    """`spec` with dropout after the layer `after`, which works in place."""
    layers: list[LayerSpec] = []
    for layer in spec:
        layers.append(layer)
        if layer.name == after:
            options = {"dropout_ratio": ratio}
            layers.append(LayerSpec(f"drop_{after}", "Dropout", layer.top, layer.top, options))
    return replace(spec, layers=tuple(layers))


def without_dropout(spec: NetSpec) -> NetSpec:
    """`spec` without its Dropout layers, which work in place."""
    return replace(spec, layers=tuple(layer for layer in spec if layer.type != "Dropout"))


def run(settings: Settings, page: Page) -> None:
    """Fill the page with trainings with and without dropout, by default of the small FCN-8s on few pictures."""
    train_set, test_set = data_sets(settings, train=_PICTURES)
    spec, start = small_or_given(settings, len(train_set.classes))
    ways = (
        Way("with dropout", spec if settings.init else with_dropout(spec)),
        Way("without dropout", without_dropout(spec)),
    )
    plan = budget(settings, iterations=_ITERATIONS, rate=_RATE)
    outcomes = compare(ways, start, plan, train_set, test_set)
    kept, left_out = outcomes.values()
    gains = left_out.gains(kept)
    compare_differences(
        page,
        "mean IU without dropout, less that with dropout",
        "reported: leaving it out made little difference",
        gains,
    )
    page.table(
        ("way", "loss, last quarter", *METRICS),
        [
            (name, spread([each.last_loss(0.25) for each in outcome.trainings], 3), *outcome.row())
            for name, outcome in outcomes.items()
        ],
    )
    page.picture(
        "losses",
        loss_chart({name: averaged(outcome.trainings) for name, outcome in outcomes.items()}, by=("iterations",)),
        "The loss by iteration, averaged over the seeds. With dropout, half of the features are missing.",
    )
    page.text(
        setting(settings, SMALL, plan, train_set, test_set)
        + " In training, dropout sets half of the features below the coarsest scores to "
        "zero, at random. "
        + (
            "FCN-32s has it after fc6 and fc7."
            if settings.init
            else "The paper's nets have it after fc6 and fc7, on a trunk that was trained with it. The small net has "
            "it after one layer, conv6. Its trunk was trained without dropout, and its skips bypass conv6, so it can "
            "show less of a difference than the paper's net."
        )
    )
