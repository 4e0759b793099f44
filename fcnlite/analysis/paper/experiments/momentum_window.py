"""Momentum and batch size as one window over the past examples (PAMI, section 6.2).

With k examples a batch, momentum p and rate η, the step is

    g_t = −η Σ_{i<k} ∇l(x_{kt+i}; θ_{t−1}) + p · g_{t−1}

so the j-th most recent example (j = 0 is the newest) has the weight p^floor(j / k). Without the floor the weight is
p^(j / k), and two pairs (k, p) and (k', p') weigh the past alike if p^(1/k) = p'^(1/k'). If the rates also give each
example the same weight over all steps, a net that learns with one of two such pairs follows nearly the same trajectory
as with the other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fcnlite import data
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.tools.budget import check_finite
from fcnlite.analysis.paper.tools.figures import loss_chart
from fcnlite.analysis.paper.tools.small_nets import SMALL, shipped_trunk, small_fcn
from fcnlite.analysis.paper.tools.training import Training, begin, train
from fcnlite.arrays import Array
from fcnlite.data import Dataset
from fcnlite.errors import SpecError
from fcnlite.net import Net

PAIRS = {"accumulated": (20, 0.9), "online": (1, 0.9), "heavy": (1, 0.99)}
"""Batch size and momentum of the paper's three settings (PAMI, table 2)."""
_EXAMPLES = 10_000
_WARM_UP = 4_000
_NET_EXAMPLES = 300
_NET_RATE = 1e-4


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


@dataclass(frozen=True)
class Trajectory:
    """The parameters of a net along a training, at every multiple of the same number of examples."""

    points: Array
    """T×P: all learned parameters, from the start on."""
    training: Training
    """The mean loss of a pixel between two points."""

    def distance(self, other: Trajectory) -> Array:
        """The distance of the points, the first left out, as a share of how far `other` has come from its start."""
        travelled = np.linalg.norm(other.points - other.points[0], axis=1)
        found: Array = np.linalg.norm(self.points - other.points, axis=1)[1:] / travelled[1:]
        return found


def follow(
    dataset: Dataset, k: int, p: float, rate: float, examples: int, *, every: int = 20, seed: int = 0
) -> Trajectory:
    """Train the small FCN-8s on `examples` pictures with batches of `k`, momentum `p` and the loss summed over a batch.

    `rate` is that of the loss of a pixel: the summed loss has this rate divided by the pixels of a picture. The order
    of the pictures is a function of `seed` alone. Points are `every` pictures apart, a multiple of `k`.
    """
    net = begin(small_fcn(len(dataset.classes), 8, "NONE"), dataset, shipped_trunk(), seed)
    pixels = dataset[0].label.size
    points, count = [_parameters(net)], every // k

    def watch(iteration: int, batch: Mapping[str, Array]) -> None:
        if (iteration + 1) % count == 0:
            points.append(_parameters(net))

    updates = examples // every * count
    found = train(net, dataset, updates, batch_size=k, seed=seed, watch=watch, base_lr=rate / pixels, momentum=p)
    check_finite(f"batches of {k}, momentum {p:g}", found, rate / pixels, False)
    losses = tuple(sum(found.losses[i : i + count]) / (every * pixels) for i in range(0, updates, count))
    ends = slice(count - 1, None, count)
    return Trajectory(np.array(points), Training(losses, found.seconds[ends], found.pictures[ends]))


def _parameters(net: Net) -> Array:
    return np.concatenate([parameter.array.ravel() for _, parameter in net.learnable()])


def run(settings: Settings, page: Page) -> None:
    """Fill the page with the equivalent momentum and what is equal and what is not."""
    k, p = PAIRS["accumulated"]
    equal = equivalent_momentum(k, p, 1)
    page.compare(
        f"momentum for one example, equivalent to {p} for {k}",
        "reported about 0.99",
        f"{equal:.4f}",
        _rounding(k, p),
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
        "Here the gradients do not depend on θ, so settings differ by their window over the past examples alone. The "
        "gradient of each example is independent noise with a standard deviation of 1. The total weight is the step "
        "for a constant gradient, in units of η times that gradient. The averaged examples are the number of equally "
        "weighted examples whose mean is as noisy as the step. The noise of a step, divided by the total weight, is "
        f"measured over {_EXAMPLES} examples and predicted as 1 / √(averaged examples)."
    )
    heading = ("setting", "k", "p", "p^(1/k)", "total weight", "averaged examples", "noise measured", "noise predicted")
    page.table(heading, rows)
    count = 10 * k
    ratio = weights(k, p, count) / weights(1, equal, count)
    page.text(
        f"With the floor, ({k}, {p}) weighs an example between {ratio.min():.3f} and {ratio.max():.3f} times as much "
        f"as (1, {equal:.4f}): the same for the newest example of each batch, and more for the others. This is the "
        "whole error of the approximation. The total weights differ by a factor of "
        f"{total_weight(k, p) / total_weight(1, equal):.3f}, the averaged examples by a factor of "
        f"{averaged_examples(k, p) / averaged_examples(1, equal):.4f}."
    )
    page.heading("A quadratic loss")
    page.text(
        f"Here the gradients depend on θ, so it matters how often θ changes. With k = 1 there are {k} steps for each "
        "step of the accumulated setting, and each is about as long. At the same rate η the equivalent setting "
        f"therefore goes about {k} times as far for each example. The table has the number of examples, without noise, "
        f"until θ has come from 1 to below 0.1: at a rate η for all settings, and at η / {k}."
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
        "The accumulated setting at η and its equivalent at η / k move alike. At the same η the equivalent setting is "
        "faster, because it updates more often: equivalent settings have the same window, but not the same speed."
    )
    _on_a_net(settings, page)


def _on_a_net(settings: Settings, page: Page) -> None:
    """Add the trajectories of a net with the accumulated setting and with several momenta for single examples."""
    k, p = PAIRS["accumulated"]
    dataset = data.open("shapes", split="train", size=64, count=1000)
    momenta = (0.9, 0.99, equivalent_momentum(k, p, 1), 0.999)
    accumulated = follow(dataset, k, p, _NET_RATE, _NET_EXAMPLES, seed=settings.seed)
    others = {
        momentum: follow(dataset, 1, momentum, _NET_RATE * (1 - momentum) / (1 - p), _NET_EXAMPLES, seed=settings.seed)
        for momentum in momenta
    }
    distances = {momentum: each.distance(accumulated) for momentum, each in others.items()}
    nearest = min(momenta, key=lambda momentum: float(distances[momentum][-1]))
    page.compare(
        f"the momentum for one example, of {', '.join(f'{each:.4g}' for each in momenta)}, whose training of a net "
        f"stays nearest to {p} with {k}",
        "the same p^(1/k)",
        f"{nearest:.4g}",
        f"at a distance of {100 * distances[nearest][-1]:.0f} % of the way from the start; the others "
        + ", ".join(f"{100 * distances[each][-1]:.0f} %" for each in momenta if each != nearest),
    )
    page.heading("A net")
    page.text(
        f"{SMALL} It learns from {_NET_EXAMPLES} generated pictures, in the same order and from the same weights for "
        "all settings. Over all steps, every setting gives a picture the same weight, η / (1 − p) times its gradient: "
        f"η is {_NET_RATE:g} (for the loss of a pixel) for the accumulated setting, and smaller for a higher momentum. "
        "Only the window differs. The table has the distance between the parameters of a training and those of the "
        "accumulated one, as a share of the distance of the latter from its start."
    )
    marks = [len(distances[nearest]) // 4 - 1, len(distances[nearest]) // 2 - 1, -1]
    seen = accumulated.training.pictures
    rows: list[tuple[str, ...]] = [
        (
            f"1, {momentum:.4g}",
            f"{momentum**k:.3f}",
            *(f"{100 * distances[momentum][mark]:.0f} %" for mark in marks),
            f"{each.training.last_loss(0.25):.3f}",
        )
        for momentum, each in others.items()
    ]
    rows.insert(0, (f"{k}, {p}", f"{p}", *("0 %" for _ in marks), f"{accumulated.training.last_loss(0.25):.3f}"))
    heading = ("k, p", f"p for {k} examples", *(f"distance at {seen[mark]}" for mark in marks), "loss, last quarter")
    page.table(heading, rows)
    shown = {f"{k}, {p}": accumulated.training}
    shown.update({f"1, {momentum:.4g}": each.training for momentum, each in others.items()})
    words = f"The loss of a pixel by pictures. The curve of {k}, {p} is hidden under that of its equivalent."
    page.picture("net", loss_chart(shown, by=("pictures",)), words)


def _rounding(k: int, p: float) -> str:
    return f"0.99 for one example is equivalent to {0.99**k:.3f} for {k}"


def _arrival(k: int, p: float, rate: float) -> str:
    path = descend(np.zeros(60_000), k, p, rate, 1.0)
    below = np.flatnonzero(path < 0.1)
    return f"{(below[0] + 1) * k}" if below.size else "not reached"


def _check(k: int, p: float) -> None:
    if k < 1 or not 0 <= p < 1:
        raise SpecError(f"batch size {k}, momentum {p}: expected at least 1, and from 0 to below 1.")
