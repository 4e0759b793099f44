"""Upsampling is backwards strided convolution (section 3.3): its adjoint, its bilinear filter, and learning it.

Bilinear interpolation by a whole factor f is a deconvolution of stride f whose filter has K = 2f − (f mod 2) pixels:

    weight(i, j) = (1 − |i − c| / F) · (1 − |j − c| / F),  F = ⌊(K + 1) / 2⌋,  c = F − 1 if K is odd, else F − 1/2

Convolution of stride f and deconvolution with the same filter are adjoint, ⟨A x, y⟩ = ⟨x, A' y⟩: the forward pass of
one is the backward pass of the other.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from fcnlite import data, models, surgery
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.arrays import Array
from fcnlite.data import Dataset, Loader
from fcnlite.description.fillers import Filler, bilinear_kernel
from fcnlite.description.spec import LayerSpec, NetSpec, ParamSpec
from fcnlite.net import Net
from fcnlite.segmentation.metrics import Metrics, confusion
from fcnlite.solver import SGD

FACTORS = range(2, 33)
"""The factors that are tested: all up to that of FCN-32s."""
_PUBLISHED = {2: 4, 8: 16, 32: 64}
"""The windows of the authors' published nets, by factor."""
_BATCH = 8
_WIDTH = 1 / 16


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


@dataclass(frozen=True)
class Learned:
    """A way to treat the upsampling layers, and what training with it gave."""

    name: str
    loss: float
    """The mean loss of the last tenth of the iterations."""
    metrics: Metrics
    seconds: float
    """Processor time of an iteration, of the training thread."""
    moved: float
    """The largest change of an upsampling weight."""


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


def learn(name: str, train_set: Dataset, val_set: Dataset, iterations: int, seed: int) -> Learned:
    """Train a small FCN-8s with one of `WAYS`, and evaluate it."""
    learns, bilinear = WAYS[name]
    classes = len(train_set.classes)
    spec = with_upsampling(
        models.describe("lite-fcn8s", classes=classes, width=_WIDTH, channels=len(train_set.preprocessing.mean)), learns
    )
    net = Net(spec, phase="TRAIN", seed=seed)
    models.initialize(net)
    layers = [each.name for each in spec if each.type == "Deconvolution"]
    if not bilinear:
        surgery.fill(net, layers, Filler("gaussian", std=0.1))
    start = {layer: net.params[layer][0].array.copy() for layer in layers}
    solver = SGD(net, base_lr=0.05, momentum=0.9, weight_decay=5e-4)
    loader = Loader(train_set, batch_size=_BATCH, preprocessing=train_set.preprocessing, seed=seed)
    losses = []
    spent = 0.0
    with closing(loader.batches()) as batches:
        for batch in islice(batches, iterations):
            began = time.thread_time()
            losses.append(solver.step(batch))
            spent += time.thread_time() - began
    tester = net.share()
    matrix = np.zeros((classes, classes), np.int64)
    for i in range(len(val_set)):
        sample = val_set[i]
        blob = data.transforms.to_blob(sample.image, train_set.preprocessing)[None]
        scores = tester.forward(data=blob, outputs=["score"])["score"]
        matrix += confusion(np.asarray(sample.label), scores[0].argmax(axis=0).astype(np.uint8), classes)
    moved = max(float(abs(net.params[layer][0].array - start[layer]).max()) for layer in layers)
    last = losses[-max(1, iterations // 10) :]
    return Learned(name, float(np.mean(last)), Metrics.from_matrix(matrix), spent / max(1, iterations), moved)


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
        "An odd factor has an odd window of 2f − 1 pixels, an even one 2f. With a pad of ⌊f/2⌋ the result has f times "
        "the size. A linear picture is reproduced between the centres of its outermost pixels; beyond them the "
        "deconvolution fades to zero, because there is nothing to add."
    )
    page.table(
        ("factor", "window", "pad", "largest weight", "error on a ramp", "adjoint error"),
        [(f, *window(f), f"{filters[f].max():.4f}", f"{ramps[f]:.0e}", f"{adjoints[f]:.0e}") for f in FACTORS],
    )
    for factor in (2, 3, 8):
        gray = np.kron(255 * filters[factor] / filters[factor].max(), np.ones((128 // window(factor)[0],) * 2))
        page.picture(f"filter-{factor}", np.repeat(gray[..., None], 3, axis=2), f"The filter of factor {factor}.")
    _learned(settings, page)


def _learned(settings: Settings, page: Page) -> None:
    """Add the trainings with fixed and with learned upsampling."""
    train_set = settings.train_set or data.open("shapes", split="train", size=64, count=400)
    val_set = settings.val_set or (
        train_set if settings.train_set else data.open("shapes", split="val", size=64, count=60)
    )
    iterations = settings.iterations or 200
    found = [learn(name, train_set, val_set, iterations, settings.seed) for name in WAYS]
    fixed, paper = found[0], found[1]
    page.compare(
        "mean IU with learned less that with fixed upsampling",
        "no significant difference (the authors' code)",
        f"{round(100 * (paper.metrics.mean_iu - fixed.metrics.mean_iu), 1) + 0.0:+.1f}",
        "one short training each",
    )
    page.compare(
        "time of an iteration, fixed against learned upsampling",
        "slightly faster (the authors' code)",
        f"{100 * (fixed.seconds / paper.seconds - 1):+.0f} %",
    )
    page.heading("Learned against fixed")
    page.text(
        f"A small FCN-8s from scratch, {iterations} iterations of {_BATCH} pictures of {train_set.name}, the same "
        "pictures and initial weights each time. Fixed layers are bilinear and have one filter for each class. The "
        "paper starts the intermediate layers bilinear, lets them learn, and fixes the last. A training from random "
        "filters shows what the bilinear start is worth. The time is that of the training thread on the processor. "
        "A single short training of each kind cannot show differences of a point or less."
    )
    page.table(
        ("upsampling", "last loss", "pixel accuracy", "mean IU", "ms an iteration", "largest change of a weight"),
        [
            (
                each.name,
                f"{each.loss:.3f}",
                f"{100 * each.metrics.pixel_accuracy:.1f}",
                f"{100 * each.metrics.mean_iu:.1f}",
                f"{1000 * each.seconds:.0f}",
                f"{each.moved:.3f}",
            )
            for each in found
        ],
    )
