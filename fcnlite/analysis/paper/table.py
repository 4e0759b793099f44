"""The table of experiments, in the order of the papers."""

from __future__ import annotations

from fcnlite.analysis.paper.experiment import Experiment
from fcnlite.errors import SpecError, nearest

EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment(
        "shift-and-stitch",
        "3.2",
        "Interlaced outputs of f² shifts, and rarefied filters, give the same dense scores; upsampling costs far less.",
        "shift_and_stitch",
        frozenset({"data", "model"}),
    ),
    Experiment(
        "upsampling",
        "3.3",
        "Upsampling is backwards strided convolution; it starts as bilinear interpolation, and may be learned.",
        "upsampling",
        frozenset({"data", "iterations"}),
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
