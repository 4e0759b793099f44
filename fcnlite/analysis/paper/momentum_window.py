"""Momentum and batch size as one window over the past examples (PAMI, section 6.2).

With k examples a batch, momentum p and rate η, the step is

    g_t = −η Σ_{i<k} ∇l(x_{kt+i}; θ_{t−1}) + p · g_{t−1}

so the j-th most recent example (j = 0 is the newest) enters with the weight p^floor(j / k). Without the floor the
weight is p^(j / k), and two pairs (k, p) and (k', p') weigh the past alike if p^(1/k) = p'^(1/k').
"""

from __future__ import annotations

import math

import numpy as np

from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.arrays import Array
from fcnlite.errors import SpecError

PAIRS = {"accumulated": (20, 0.9), "online": (1, 0.9), "heavy": (1, 0.99)}
"""Batch size and momentum of the paper's three settings (PAMI, table 2)."""
_EXAMPLES = 10_000
_WARM_UP = 4_000


def equivalent_momentum(k: int, p: float, other_k: int) -> float:
    """The momentum p' at batch size `other_k` with p'^(1/other_k) = p^(1/k). Raises `SpecError` for bad values."""
    _check(k, p)
    _check(other_k, p)
    return float(p ** (other_k / k))


def weights(k: int, p: float, count: int) -> Array:
    """The weights p^floor(j / k) of the `count` most recent examples in a step, newest first."""
    _check(k, p)
    return np.asarray(p ** (np.arange(count) // k), np.float64)


def total_weight(k: int, p: float) -> float:
    """Σ_j p^floor(j / k) = k / (1 − p): the step for a constant gradient, in units of η times that gradient."""
    _check(k, p)
    return k / (1 - p)


def averaged_examples(k: int, p: float) -> float:
    """The number n of equally weighted examples whose mean is as noisy as the step.

    n = (Σ w)² / Σ w² = k (1 + p) / (1 − p). If the gradients of examples have independent noise of deviation s,
    the step, divided by its total weight, has noise of s / √n.
    """
    _check(k, p)
    return k * (1 + p) / (1 - p)


def steps(gradients: Array, k: int, p: float) -> Array:
    """The steps g_t / −η, one for each k examples, for gradients that do not depend on θ (a linear loss)."""
    _check(k, p)
    found, step = [], 0.0
    for batch in gradients[: len(gradients) // k * k].reshape(-1, k).sum(axis=1).tolist():
        step = batch + p * step
        found.append(step)
    return np.array(found)


def descend(targets: Array, k: int, p: float, rate: float, start: float) -> Array:
    """θ after each batch of k examples, on the quadratic loss l(x; θ) = (θ − x)² / 2 of each of `targets`."""
    _check(k, p)
    theta, step, path = start, 0.0, []
    for batch in targets[: len(targets) // k * k].reshape(-1, k):
        step = p * step - rate * float((theta - batch).sum())
        theta += step
        path.append(theta)
    return np.array(path)


def run(settings: Settings, page: Page) -> None:
    """Fill the page with the equivalent momentum and what is equal and what is not."""
    k, p = PAIRS["accumulated"]
    equal = equivalent_momentum(k, p, 1)
    page.compare(
        f"momentum for one example that equals {p} for {k}", "reported about 0.99", f"{equal:.4f}", _rounding(k, p)
    )
    noise = np.random.default_rng(settings.seed).standard_normal(_EXAMPLES)
    pairs = {**PAIRS, "equivalent": (1, equal)}
    rows = []
    for name, (size, momentum) in pairs.items():
        measured = steps(noise, size, momentum)[_WARM_UP // size :] / total_weight(size, momentum)
        rows.append(
            (
                name,
                size,
                f"{momentum:.4f}",
                f"{momentum ** (1 / size):.4f}",
                f"{total_weight(size, momentum):.1f}",
                f"{averaged_examples(size, momentum):.1f}",
                f"{measured.std():.4f}",
                f"{1 / math.sqrt(averaged_examples(size, momentum)):.4f}",
            )
        )
    page.heading("A linear loss")
    page.text(
        "The gradients do not depend on θ here, so the window is all there is. Each example has independent noise of "
        "standard deviation 1. The total weight is the step for a constant gradient, the averaged examples are the "
        "number of equal examples whose mean is as noisy. The noise of a step, divided by the total weight, is "
        f"measured over {_EXAMPLES} examples and predicted by the formula."
    )
    heading = ("setting", "k", "p", "p^(1/k)", "total weight", "averaged examples", "noise measured", "noise predicted")
    page.table(heading, rows)
    count = 10 * k
    ratio = weights(k, p, count) / weights(1, equal, count)
    page.text(
        f"With the floor, ({k}, {p}) weighs an example between {ratio.min():.3f} and {ratio.max():.3f} times as much "
        f"as (1, {equal:.4f}): equal for the newest example of each batch, too much for the others. That is all that "
        "the approximation costs; the total weights differ by a factor of "
        f"{total_weight(k, p) / total_weight(1, equal):.3f}, the averaged examples by a factor of "
        f"{averaged_examples(k, p) / averaged_examples(1, equal):.4f}."
    )
    page.heading("A quadratic loss")
    page.text(
        f"Here the gradients depend on θ, and the batches do not weigh alike: with k = 1 there are {k} steps for each "
        "step of the accumulated setting, and each has about the same length. At an equal rate η the equivalent "
        f"setting goes about {k} times as far for each example. The table counts the examples until θ has come from 1 "
        "to below 0.1 for the first time, on examples without noise, at one rate for all settings and at that rate "
        f"divided by {k} for k = 1."
    )
    rate = 1e-4
    page.table(
        ("setting", "k", "p", f"examples at η = {rate:g}", f"at η = {rate / k:g}"),
        [
            (name, size, f"{momentum:.4f}", *(_arrival(size, momentum, each) for each in (rate, rate / k)))
            for name, (size, momentum) in pairs.items()
        ],
    )
    page.text(
        "So the accumulated setting at η and its equivalent at η / k move alike, and at an equal η the equivalent "
        "setting is faster because it updates more often. The equivalence is about the window, not about the speed."
    )


def _rounding(k: int, p: float) -> str:
    return f"0.99 itself equals a momentum of {0.99**k:.3f} for {k} examples; {p} is the exact one"


def _arrival(k: int, p: float, rate: float) -> str:
    path = descend(np.zeros(60_000), k, p, rate, 1.0)
    below = np.flatnonzero(path < 0.1)
    return f"{(below[0] + 1) * k}" if below.size else "not reached"


def _check(k: int, p: float) -> None:
    if k < 1 or not 0 <= p < 1:
        raise SpecError(f"batch size {k}, momentum {p}: expected at least 1, and from 0 to below 1.")
