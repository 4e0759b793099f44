"""What the examples of related work share: how they train and choose a rate on validation data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fcnlite.analysis.paper.page import Page
from fcnlite.arrays import Array
from fcnlite.data.seeding import generator
from fcnlite.net import Net
from fcnlite.solver import Adam

RATES = (1e-3, 2e-3, 4e-3)
MSRA: dict[str, Any] = {"weight_filler": {"type": "msra"}}
XAVIER: dict[str, Any] = {"weight_filler": {"type": "xavier"}}


def train(
    net: Net, batch: Callable[[np.random.Generator], dict[str, Array]], iterations: int, rate: float, seed: int
) -> Net:
    """Train `net` by Adam with a rate that falls linearly to zero; returns it in phase TEST."""
    solver = Adam(net, base_lr=rate, lr_policy="poly", power=1, max_iter=iterations)
    for iteration in range(iterations):
        solver.step(batch(generator("related", seed, iteration)))
    return net.share("TEST")


def best(
    page: Page,
    build: Callable[[], Net],
    batch: Callable[[np.random.Generator], dict[str, Array]],
    iterations: int,
    seed: int,
    score: Callable[[Net], float],
) -> tuple[Net, float]:
    """Train once for each of `RATES`; the net with the highest score on validation data, and its rate.

    The page gets a table of the scores, and the heading of what follows.
    """
    nets = [train(build(), batch, iterations, rate, seed) for rate in RATES]
    scores = [score(net) for net in nets]
    chosen = int(np.argmax(scores))
    page.heading("The rate")
    page.text(
        f"Adam trains a net for {iterations} iterations at each of three rates. The best on validation data is taken; "
        "these data are neither those of training nor those of the figures above."
    )
    page.table(("rate", "validation"), [(rate, f"{value:.3f}") for rate, value in zip(RATES, scores, strict=True)])
    page.heading("On test data")
    return nets[chosen], RATES[chosen]


def explain(page: Page, docstring: str | None) -> None:
    """Add the paragraphs of an example's docstring after its first line."""
    for paragraph in (docstring or "").strip().split("\n\n")[1:]:
        page.text(" ".join(paragraph.split()))


def draws(split: str, seed: int) -> np.random.Generator:
    """The random numbers of a split: "validation" or "test"."""
    return generator(f"related {split}", seed)
