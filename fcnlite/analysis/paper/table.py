"""The table of experiments, in the order of the papers."""

from __future__ import annotations

from fcnlite.analysis.paper.experiment import Experiment
from fcnlite.errors import SpecError, nearest

EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment(
        "patchwise",
        "3.4",
        "Training on patches is sampling the loss: it converges no faster by iteration, and slower by time.",
        "patchwise",
        frozenset({"data", "model", "init", "iterations"}),
    ),
    Experiment(
        "skips",
        "4.2",
        "Skips from pool4 and pool3 add detail: FCN-16s is better than FCN-32s, and FCN-8s than FCN-16s, by less.",
        "skips",
        frozenset({"data", "init", "iterations"}),
    ),
    Experiment(
        "frozen",
        "4.3",
        "Fine-tuning all layers is better than training the scores alone, and both are better than from scratch.",
        "frozen",
        frozenset({"data", "init", "iterations"}),
    ),
    Experiment(
        "augmentation",
        "4.3",
        "Mirroring, jitter and class balancing bring no noticeable gain.",
        "augmentation",
        frozenset({"data", "init", "iterations"}),
    ),
    Experiment(
        "optimisation",
        "PAMI 4.2",
        "On one sequence of pictures, single pictures beat accumulated batches, and a high momentum beats a low one.",
        "optimisation",
        frozenset({"data", "init", "iterations"}),
    ),
    Experiment(
        "loss-normalisation",
        "4.3, PAMI 4.2",
        "A loss summed over pixels and one normalised make equal updates at rates that differ by the number of pixels.",
        "loss_normalisation",
        frozenset({"data", "init", "iterations"}),
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
