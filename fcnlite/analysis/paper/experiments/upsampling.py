"""Upsampling is backwards strided convolution (section 3.3): its adjoint, its bilinear filter, and learning it.

Bilinear interpolation by a whole factor f is a deconvolution of stride f whose filter has K = 2f − (f mod 2) pixels:

    weight(i, j) = (1 − |i − c| / F) · (1 − |j − c| / F),  F = ⌊(K + 1) / 2⌋,  c = F − 1 if K is odd, else F − 1/2

Convolution of stride f and deconvolution with the same filter are adjoint, ⟨A x, y⟩ = ⟨x, A' y⟩: the forward pass of
one is the backward pass of the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from fcnlite import models, surgery
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.tools.budget import budget, setting
from fcnlite.analysis.paper.tools.datasets import data_sets
from fcnlite.analysis.paper.tools.figures import gray
from fcnlite.analysis.paper.tools.small_nets import SMALL, shipped_trunk, small_fcn
from fcnlite.analysis.paper.tools.statistics import METRICS, compare_differences, spread
from fcnlite.analysis.paper.tools.training import begin
from fcnlite.analysis.paper.tools.ways import Way, compare
from fcnlite.arrays import Array
from fcnlite.data import Dataset
from fcnlite.description.fillers import Filler, bilinear_kernel
from fcnlite.description.spec import LayerSpec, NetSpec, ParamSpec
from fcnlite.net import Net

FACTORS = range(2, 33)
"""The factors that are tested: all up to that of FCN-32s."""
_PUBLISHED = {2: 4, 8: 16, 32: 64}
"""The windows of the authors' published nets, by factor."""
_ITERATIONS = 80
_RATE = 0.02


def window(factor: int) -> tuple[int, int]:
    """The window and the pad of bilinear upsampling by `factor`: n pixels become factor · n."""
    return 2 * factor - factor % 2, (factor - factor % 2) // 2


def formula(size: int) -> Array:
    """The filter of `size`×`size` pixels, weight by weight, as the paper's authors write it."""
    factor = (size + 1) // 2
    centre = factor - 1 if size % 2 else factor - 0.5
    rows = [[(1 - abs(i - centre) / factor) * (1 - abs(j - centre) / factor) for j in range(size)] for i in range(size)]
    return np.array(rows)


def upsampled(picture: Array, factor: int) -> Array:
    """The picture, H×W, after a Deconvolution layer that `surgery.interp` made bilinear."""
    size, pad = window(factor)
    net = _single("Deconvolution", picture.shape, kernel=size, stride=factor, pad=pad)
    surgery.interp(net)
    top: Array = net.forward(data=picture[None, None])["top"][0, 0]
    return top


def ramp_error(factor: int, height: int = 6, width: int = 7) -> float:
    """The largest error of upsampling a linear picture, between the centres of its outermost pixels."""

    def ramp(rows: Array, columns: Array) -> Array:
        return 1 + 2 * rows[:, None] - 3 * columns

    found = upsampled(ramp(np.arange(float(height)), np.arange(float(width))), factor)
    # Pixel i of the result is at (i − (factor − 1)/2) / factor in the picture: both have the same edges.
    places = [(np.arange(float(side)) - (factor - 1) / 2) / factor for side in found.shape]
    inside = [(each >= 0) & (each <= side - 1) for each, side in zip(places, (height, width), strict=True)]
    return float(abs(found - ramp(*places))[np.ix_(*inside)].max())


def adjoint_error(stride: int, kernel: int, pad: int, seed: int = 0) -> float:
    """|⟨A x, y⟩ − ⟨x, A' y⟩| / (‖A x‖ ‖y‖) for a random filter, x and y.

    A is Convolution and A' is Deconvolution, both with the same weight.
    """
    rng = np.random.default_rng(seed)
    side = stride * 4 + kernel - 2 * pad
    inputs, outputs = 3, 2
    convolution = _single("Convolution", (side, side), inputs, outputs, kernel, stride, pad)
    weight = rng.normal(size=(outputs, inputs, kernel, kernel))
    convolution.params["layer"][0].data = weight
    x = rng.normal(size=(1, inputs, side, side))
    ax = convolution.forward(data=x)["top"]
    y = rng.normal(size=ax.shape)
    deconvolution = _single("Deconvolution", (5, 5), outputs, inputs, kernel, stride, pad)
    deconvolution.params["layer"][0].data = weight
    aty = deconvolution.forward(data=y)["top"]
    return float(abs((ax * y).sum() - (x * aty).sum()) / np.sqrt(np.square(ax).sum() * np.square(y).sum()))


def _single(
    kind: str, sides: tuple[int, ...], inputs: int = 1, outputs: int = 1, kernel: int = 1, stride: int = 1, pad: int = 0
) -> Net:
    """A net of one layer without bias, in float64."""
    options = {
        "num_output": outputs,
        "kernel_size": [kernel],
        "stride": [stride],
        "pad": [pad],
        "bias_term": False,
    }
    shape = [{"dim": [1, inputs, *sides]}]
    layers = (
        LayerSpec("data", "Input", top=("data",), options={"shape": shape}),
        LayerSpec("layer", kind, ("data",), ("top",), options),
    )
    return Net(NetSpec("single", layers), path="plain", dtype="float64")


def with_upsampling(spec: NetSpec, learns: Callable[[int, int], bool]) -> NetSpec:
    """The net whose upsampling layer i of n learns if `learns(i, n)`."""
    names = [each.name for each in spec if each.type == "Deconvolution"]

    def changed(layer: LayerSpec) -> LayerSpec:
        if layer.name not in names:
            return layer
        rate = float(learns(names.index(layer.name), len(names)))
        return replace(layer, param=(ParamSpec(lr_mult=rate, decay_mult=0.0),))

    return replace(spec, layers=tuple(map(changed, spec.layers)))


WAYS: dict[str, tuple[Callable[[int, int], bool], bool]] = {
    "all fixed (the authors' later nets)": (lambda i, n: False, True),
    "all but the last learned (the paper)": (lambda i, n: i < n - 1, True),
    "all learned, from bilinear": (lambda i, n: True, True),
    "all learned, from random": (lambda i, n: True, False),
}
"""Which upsampling layers learn, and whether they start bilinear."""


def ways(spec: NetSpec, dataset: Dataset) -> list[Way]:
    """The `WAYS` to train an FCN on a data set; each gives the largest change of an upsampling weight."""
    found = []
    for name, (learns, bilinear) in WAYS.items():
        prepare = None if bilinear else _random
        changed = with_upsampling(spec, learns)
        inspect = partial(largest_change, spec=changed, dataset=dataset, prepare=prepare)
        found.append(Way(name, changed, prepare=prepare, inspect=inspect))
    return found


def _filters(net: Net) -> list[str]:
    return [layer.spec.name for layer in net.layers if layer.type == "Deconvolution"]


def _random(net: Net) -> None:
    surgery.fill(net, _filters(net), Filler("gaussian", std=0.1))


def largest_change(net: Net, spec: NetSpec, dataset: Dataset, prepare: Callable[[Net], None] | None) -> float:
    """The largest change of an upsampling weight of `net`, which began as `spec` and `prepare` say."""
    start = begin(spec, dataset, seed=net.seed)
    if prepare is not None:
        prepare(start)
    return max(float(abs(net.params[name][0].array - start.params[name][0].array).max()) for name in _filters(net))


def run(settings: Settings, page: Page) -> None:
    """Fill the page: filters, ramps and adjoints of all factors, then trainings on a data set (default: shapes)."""
    filters = {factor: formula(window(factor)[0]) for factor in FACTORS}
    off = max(float(abs(each - bilinear_kernel(len(each))).max()) for each in filters.values())
    page.compare("difference between formula and filler, factors 2 to 32", "0", f"{off:.0e}")
    ramps = {factor: ramp_error(factor) for factor in FACTORS}
    page.compare("error on linear pictures, factors 2 to 32", "exact", f"{max(ramps.values()):.0e}", "rounding")
    adjoints = {factor: adjoint_error(factor, *window(factor)) for factor in FACTORS}
    page.compare("⟨A x, y⟩ − ⟨x, A' y⟩, factors 2 to 32", "0", f"{max(adjoints.values()):.0e}", "rounding")
    for factor, size in _PUBLISHED.items():
        page.compare(f"window of upsampling by {factor}", size, window(factor)[0])
    page.text(
        "The window has 2f − 1 pixels for an odd factor f and 2f for an even one. With a pad of ⌊f/2⌋ the result has f "
        "times the size. A linear picture, a ramp, is upsampled exactly between the centres of its outermost pixels. "
        "Beyond them the deconvolution fades to zero, because there are no further pixels to add. The adjoint error "
        "compares ⟨A x, y⟩ with ⟨x, A' y⟩ for random x and y, where A is the convolution and A' the deconvolution "
        "with the same filter: it is zero if the forward pass of one is the backward pass of the other."
    )
    page.table(
        ("factor", "window", "pad", "largest weight", "error on a ramp", "adjoint error"),
        [(f, *window(f), f"{filters[f].max():.4f}", f"{ramps[f]:.0e}", f"{adjoints[f]:.0e}") for f in FACTORS],
    )
    for factor in (2, 3, 8):
        enlarged = np.kron(filters[factor] / filters[factor].max(), np.ones((128 // window(factor)[0],) * 2))
        page.picture(f"filter-{factor}", gray(enlarged), f"The filter of factor {factor}.")
    _learned(settings, page)


def _learned(settings: Settings, page: Page) -> None:
    """Add the trainings with fixed and with learned upsampling."""
    train_set, test_set = data_sets(settings)
    plan = budget(settings, iterations=_ITERATIONS, rate=_RATE)
    classes = len(train_set.classes)
    spec = small_fcn(classes, 8) if settings.init is None else models.describe("voc-fcn8s-atonce", classes=classes)
    start = settings.init or shipped_trunk()
    outcomes = compare(ways(spec, train_set), start, plan, train_set, test_set)
    fixed, paper, _, random = outcomes.values()
    gains = paper.gains(fixed)
    compare_differences(
        page,
        "mean IU with learned less that with fixed upsampling",
        "no significant difference (the authors' code)",
        gains,
    )
    gains = random.gains(fixed)
    compare_differences(
        page, "mean IU with upsampling learned from random filters, less that with fixed bilinear ones", None, gains
    )
    slower = [
        100 * (a.step_seconds() / b.step_seconds() - 1) for a, b in zip(paper.trainings, fixed.trainings, strict=True)
    ]
    page.compare(
        "time of an iteration, learned against fixed upsampling",
        "fixed is slightly faster (the authors' code)",
        f"{spread(slower, 0, sign=True)} %",
        "processor time",
    )
    page.heading("Learned against fixed")
    page.text(
        setting(settings, SMALL, plan, train_set, test_set, "FCN-8s at once")
        + " A fixed layer is bilinear, with one filter for each class. In the paper the upsampling layers start "
        "bilinear; the last one is fixed, and the others learn. The authors' later nets fix all of them, because they "
        "saw no significant difference. The training from random filters shows what the bilinear start is worth."
    )
    page.table(
        ("upsampling", "last loss", *METRICS, "largest change of a weight"),
        [
            (
                name,
                spread([each.last_loss() for each in outcome.trainings], 3),
                *outcome.row(),
                f"{max(outcome.inspected):.3f}",
            )
            for name, outcome in outcomes.items()
        ],
    )
