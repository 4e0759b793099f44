"""The table of experiments, in the order of the papers."""

from __future__ import annotations

from fcnlite.analysis.paper.experiment import Experiment
from fcnlite.errors import SpecError, nearest

EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment(
        "metrics",
        "5",
        "Pixel accuracy, mean accuracy, mean IU and frequency weighted IU differ where classes differ in size.",
        "metric_differences",
    ),
    Experiment(
        "fusion",
        "5",
        "Colour and depth: a fourth channel (early fusion) helps little, adding scores of two nets (late) more.",
        "fusion",
        frozenset({"iterations"}),
    ),
    Experiment(
        "multi-task",
        "5",
        "One net with a semantic and a geometric head is as good at both tasks as two nets.",
        "multi_task",
        frozenset({"iterations"}),
    ),
    Experiment(
        "masking",
        "PAMI 6.1",
        "Shape and context tell a class: nets that see no pixel of an object still find some of them.",
        "masking",
        frozenset({"iterations"}),
    ),
    Experiment(
        "background",
        "PAMI 6",
        "A net need not model the background: a constant score of 0 and sigmoids cost about one point of mean IU.",
        "background",
        frozenset({"iterations"}),
    ),
    Experiment(
        "momentum-window",
        "PAMI 6.2",
        "Batch size k and momentum p act alike if p^(1/k) is equal: 0.9 with 20 examples is about 0.995 with one.",
        "momentum_window",
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
