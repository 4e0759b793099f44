"""Training with and without dropout (paper, section 4.3)."""

from __future__ import annotations

from dataclasses import replace

from fcnlite.analysis.paper import miniature
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.miniature import Way
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.training import METRICS, loss_chart
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
    train_set, test_set = miniature.pictures(settings, _PICTURES)
    spec = miniature.net(settings, len(train_set.classes))
    ways = (
        Way("with dropout", spec if settings.init else with_dropout(spec)),
        Way("without dropout", without_dropout(spec)),
    )
    budget = miniature.budget(settings, iterations=_ITERATIONS, rate=_RATE)
    outcomes = {way.name: budget.run(way, train_set, test_set) for way in ways}
    kept, left_out = outcomes.values()
    gains = left_out.gains(kept)
    page.compare(
        "mean IU without dropout, less that with dropout",
        "reported: leaving it out made little difference",
        miniature.spread(gains, sign=True),
        miniature.verdict(gains),
    )
    page.table(
        ("way", "loss, last quarter", *METRICS),
        [
            (name, miniature.spread([each.last_loss(0.25) for each in outcome.trainings], 3), *outcome.row())
            for name, outcome in outcomes.items()
        ],
    )
    page.picture(
        "losses",
        loss_chart(
            {name: miniature.averaged(outcome.trainings) for name, outcome in outcomes.items()}, by=("iterations",)
        ),
        "The loss by iteration, the mean of the seeds. With dropout it is that of a net with features left out.",
    )
    epochs = budget.iterations * budget.batch_size / len(train_set)
    page.text(
        budget.words(train_set, test_set)
        + f"That is {epochs:.1f} epochs. "
        + ("" if settings.init else miniature.CHOSEN)
        + "Dropout leaves out half of the features below the coarsest scores in training, at random. "
        + (
            "FCN-32s has it after fc6 and fc7."
            if settings.init
            else "The paper's nets have it after fc6 and fc7, on a trunk that was trained with it. The small net has "
            "one such layer, conv6, and its trunk was trained without dropout."
        )
    )
