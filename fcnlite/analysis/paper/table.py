"""The table of experiments, in the order of the papers."""

from __future__ import annotations

from fcnlite.analysis.paper.experiment import Experiment
from fcnlite.errors import SpecError, nearest

EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment(
        "composition",
        "3",
        "Layers compose to one filter with kernel k' + (k - 1)s' and stride ss'; AlexNet's field is 355 pixels.",
        "composition",
    ),
    Experiment(
        "receptive-fields",
        "3",
        "The pixels with a gradient are exactly the predicted receptive field, or a subset in the net as it is.",
        "receptive_fields",
        frozenset({"model"}),
    ),
    Experiment(
        "shift",
        "3",
        "A net of filters is a filter: shifted by the stride, a picture gives the same output, shifted by one.",
        "shift",
    ),
    Experiment(
        "loss-sum",
        "3",
        "If the loss is a sum over positions, a step on the whole picture is a step on all patches, at less cost.",
        "loss_sum",
    ),
    Experiment(
        "dense-classifiers",
        "3.1",
        "A convolutional classifier gives a 10x10 grid of outputs over 5 times faster than patch by patch.",
        "dense_classifiers",
    ),
    Experiment(
        "upper-bounds",
        "PAMI 6.3",
        "Mean IU is insensitive to detail: truth downsampled by 16 and upsampled again still scores above 90.",
        "upper_bounds",
        frozenset({"data"}),
    ),
)


def named(name: str) -> Experiment:
    """The experiment of this name. Raises `SpecError`, which lists similar names."""
    for each in EXPERIMENTS:
        if each.name == name:
            return each
    raise SpecError(f"no experiment is called {name!r}; {nearest(name, (each.name for each in EXPERIMENTS))}")
