"""Patchwise training is loss sampling (section 3.4, and figure 5 of section 4.3).

A cell of the final layer is one patch: its receptive field. The loss of a whole picture is a sum over all cells. Here
it is taken before upsampling, on the labels at the centres of the cells, so that each term belongs to one patch. A mask
between output and loss keeps each cell with probability p, and the batch gets 1/p as many pictures, so that the
expected number of patches stays the same. A step then costs up to 1/p times as much, because the net computes every
cell, whether the mask keeps it or not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from fcnlite import models, surgery
from fcnlite.analysis.dense import sample_loss
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.tools.budget import check_finite, repeated, seeds_of
from fcnlite.analysis.paper.tools.datasets import data_sets, scene
from fcnlite.analysis.paper.tools.figures import loss_chart
from fcnlite.analysis.paper.tools.nets import weights_of
from fcnlite.analysis.paper.tools.small_nets import shipped_trunk, small_fcn
from fcnlite.analysis.paper.tools.statistics import compare_differences, spread
from fcnlite.analysis.paper.tools.training import Training, averaged, begin, evaluate, running_mean, train
from fcnlite.analysis.patches import receptive_fields, whole_gradients
from fcnlite.analysis.receptive_fields import place, pruned
from fcnlite.arrays import Array, Shape
from fcnlite.data import VOID, Dataset
from fcnlite.data.augmentation import Augment
from fcnlite.description.shapes import Placement
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import SpecError
from fcnlite.net import Net
from fcnlite.segmentation.metrics import Metrics
from fcnlite.surgery import Weights

SHARES = (1.0, 0.5, 0.25)
"""The shares of figure 5."""
SCORE = "score_fr"
"""The final layer of every FCN here: the scores at stride 32, before upsampling."""
STRIDE = 32
"""The stride of these scores."""
_ITERATIONS = 60
_BATCH = 2
_SIZE = 160
_SEEDS = 3
_RATE = 0.02


def batch_size(whole: int, keep: float) -> int:
    """The pictures of a batch with as many patches as `whole` pictures have, if a share `keep` of them is kept.

    Raises `SpecError` for a share that is not above 0 and at most 1.
    """
    if not 0 < keep <= 1:
        raise SpecError(f"the share of patches is {keep}; expected above 0, at most 1.")
    return max(1, round(whole / keep))


def on_cells(spec: NetSpec, score: str = SCORE, normalization: str = "VALID") -> NetSpec:
    """The layers up to the blob `score`, with a softmax loss over its cells: the net without its upsampling.

    Raises `SpecError` if the net has no such blob.
    """
    if all(score not in layer.top for layer in spec):
        raise SpecError(
            f"net {spec.name!r} has no blob {score!r}, whose cells are sampled; give an FCN, such as voc-fcn32s."
        )
    names = {layer.name for layer in pruned(spec, score)}
    loss = {"normalization": normalization, "ignore_label": VOID}
    below = tuple(layer for layer in spec if layer.name in names)
    example = next(layer.options["shape"][0]["dim"] for layer in below if layer.type == "Input")
    height, width = _grid(Net(replace(spec, layers=below)), tuple(example))
    layers = (
        *below,
        LayerSpec("label", "Input", top=("label",), options={"shape": [{"dim": [1, 1, height, width]}]}),
        LayerSpec("loss", "SoftmaxWithLoss", (score, "label"), ("loss",), loss),
    )
    return replace(spec, layers=layers)


def _grid(net: Net, picture: Shape) -> tuple[int, int]:
    """Height and width of the last blob that a net computes from a picture N×C×H×W."""
    _, _, tops = net.shapes({"data": picture})[-1]
    return tops[0][2], tops[0][3]


def centres(placement: Placement, count: int) -> Array:
    """The pixels at the centres of `count` cells along one axis; the later one if a centre is between two."""
    return np.array([int(np.floor(float(placement.stride * i + placement.offset) + 0.5)) for i in range(count)])


def at_centres(label: Array, placements: tuple[Placement, Placement], shape: tuple[int, int]) -> Array:
    """N×1×h×w: of N×1×H×W labels, those at the centres of h×w cells; void for a centre outside the picture."""
    found = np.full((*label.shape[:2], *shape), VOID, label.dtype)
    rows, columns = (centres(placement, count) for placement, count in zip(placements, shape, strict=True))
    inside = [(each >= 0) & (each < side) for each, side in zip((rows, columns), label.shape[2:], strict=True)]
    found[:, :, np.flatnonzero(inside[0])[:, None], np.flatnonzero(inside[1])] = label[
        :, :, rows[inside[0]][:, None], columns[inside[1]]
    ]
    return found


def cell_sampler(net: Net, keep: float, score: str = SCORE) -> Callable[[Array, np.random.Generator], Array]:
    """A function of N×1×H×W labels and random numbers: the labels of the cells, each kept with probability `keep`."""
    found = place(net.spec, score)

    @cache
    def grid(height: int, width: int) -> tuple[int, int]:
        return _grid(net, (1, 3, height, width))

    def sampled(label: Array, rng: np.random.Generator) -> Array:
        shape = grid(*label.shape[2:])
        return sample_loss(at_centres(label, (found.rows, found.columns), shape), keep, rng)

    return sampled


def patches_error(keep: float = 0.25, grid: int = 6, seed: int = 0) -> float:
    """The difference between the gradient of a sampled loss and that of a batch of the kept patches alone.

    LeNet as a convolutional net in float64, on one picture with `grid`² patches. The largest difference of a gradient
    is relative to the largest value of that gradient.
    """
    spec, _ = surgery.fully_convolutional(models.describe("lenet"))
    score = "ip2"
    net = Net(on_cells(spec, score, "NONE"), path="plain", dtype="float64")
    rows = place(spec, score).rows
    _, picture = scene(int(rows.field + rows.stride * (grid - 1)), 1, seed)
    picture = picture.astype(np.float64) / 64
    rng = np.random.default_rng(seed)
    label = sample_loss(rng.integers(0, 10, (1, 1, grid, grid)).astype(np.uint8), keep, rng)
    kept = np.flatnonzero(label != VOID)
    patches = receptive_fields(spec, score, picture, (grid, grid))[kept]
    whole = whole_gradients(net, picture, label).parameters
    alone = whole_gradients(net, patches, label.reshape(-1, 1, 1, 1)[kept]).parameters
    return max(float(np.abs(each - alone[name]).max() / np.abs(each).max()) for name, each in whole.items())


def iterations_to(training: Training, level: float) -> int:
    """The iterations until the running mean of the loss is at most `level`; all of them if it never is."""
    below = np.flatnonzero(running_mean(training.losses) <= level)
    return int(below[0]) + 1 if below.size else len(training.losses)


@dataclass(frozen=True)
class Sampling:
    """A share of the patches, and how its trainings went: one for each seed."""

    name: str
    keep: float
    pictures: int
    """The pictures of an iteration."""
    trainings: list[Training]
    metrics: list[Metrics]
    """The metrics of the net with its upsampling."""

    def step_seconds(self) -> float:
        """The mean over the seeds of the processor time of an iteration."""
        return float(np.mean([each.step_seconds() for each in self.trainings]))


@dataclass(frozen=True)
class Plan:
    """The trainings of a page: the net, its start and the solver's options."""

    spec: NetSpec
    start: str | Weights
    whole: int
    """The pictures of an iteration with all patches."""
    iterations: int
    options: Mapping[str, Any]
    accumulate: bool
    """Whether the pictures of an iteration are passes of one picture, which may differ in size."""

    def way(
        self,
        name: str,
        keep: float,
        train_set: Dataset,
        val_set: Dataset,
        seeds: range,
        augment: Augment | None = None,
    ) -> Sampling:
        """Train with this share of the patches, once for each seed."""
        count = batch_size(self.whole, keep)
        trainings, metrics = [], []
        for seed in seeds:
            net = begin(on_cells(self.spec), train_set, self.start, seed)
            training = train(
                net,
                train_set,
                self.iterations,
                batch_size=1 if self.accumulate else count,
                iter_size=count if self.accumulate else 1,
                augment=augment,
                label=cell_sampler(net, keep),
                seed=seed,
                **self.options,
            )
            check_finite(name, training, self.options["base_lr"], isinstance(self.start, str))
            trainings.append(training)
            metrics.append(evaluate(begin(self.spec, train_set, weights_of(net), seed), val_set))
        return Sampling(name, keep, count, trainings, metrics)


def plan(settings: Settings, classes: int) -> Plan:
    """The trainings by default, or with the paper's settings if weights are given."""
    accumulate = settings.train_set is not None
    if settings.init is None:
        iterations, options = settings.iterations or _ITERATIONS, {"base_lr": _RATE, "momentum": 0.9}
        return Plan(small_fcn(classes, 32), shipped_trunk(), _BATCH, iterations, options, accumulate)
    options = {"base_lr": 1e-4, "momentum": 0.9, "weight_decay": 5e-4}
    spec = models.describe(settings.model or "voc-fcn32s", classes=classes, normalization="VALID")
    return Plan(spec, settings.init, 20, settings.iterations or 1500, options, accumulate)


def run(settings: Settings, page: Page) -> None:
    """Fill the page with the losses of the three shares, by default of a small FCN-32s on generated shapes."""
    if settings.model is not None and settings.init is None:
        raise SpecError("--model takes the place of the paper's net and needs its weights; give --init FILE too.")
    train_set, val_set = data_sets(settings, _SIZE)
    chosen = plan(settings, len(train_set.classes))
    seeds = seeds_of(settings, _SEEDS)
    ways = [chosen.way(f"{100 * keep:.0f} %", keep, train_set, val_set, seeds) for keep in SHARES]
    ways.append(chosen.way("100 %, shifted", 1.0, train_set, val_set, seeds, Augment(shift=STRIDE // 2)))
    page.compare(
        "gradient of a sampled loss against that of a batch of the kept patches alone, LeNet in float64",
        "equal",
        f"{patches_error(seed=settings.seed):.0e}",
        "rounding",
    )
    _compare(ways, page)
    page.picture(
        "losses",
        loss_chart({way.name: averaged(way.trainings) for way in ways[: len(SHARES)]}),
        "As figure 5: the loss by iteration (left) and by processor time (right), averaged over the seeds.",
    )
    page.text(
        "A cell of the scores before upsampling is one patch: its receptive field. The net learns without its "
        "upsampling: the loss is taken at the cells, on the labels at their centres, and keeps each cell with "
        "probability p. Sampling leaves out terms of the loss, but none of the work of the net. To see as many "
        "patches, a step with a share p of them needs 1/p times as many pictures. Its time grows by less than that, "
        "because a batch has fixed costs. The metrics are those of the same weights in the net with its upsampling."
    )
    page.text(
        "The paper, too, restricts the loss to some cells of the final layer. A mask over the pixels after upsampling "
        "would not do this, because one pixel mixes up to four cells. The loss is the mean over the cells that are "
        "kept and not void. In the last row, each picture moves at random by up to half a stride, so that the patches "
        "are not always on the same grid (footnote 2 of the paper)."
    )
    page.text(
        f"Data: {train_set.name}, {len(train_set)} pictures to learn from and {len(val_set)} of the split "
        f"{val_set.split} to measure. The net is {chosen.spec.name}, from the weights "
        f"{f'in {settings.init}' if settings.init else 'of the shipped classifier'}. Each way is trained "
        f"{repeated(seeds)}: {chosen.iterations} iterations, momentum {chosen.options['momentum']}, rate "
        f"{chosen.options['base_lr']:g}"
        + (
            f", weight decay {chosen.options['weight_decay']:g}. "
            if settings.init
            else ". The rate was chosen on other generated pictures, those of the split val. "
        )
        + "Time is that of the processor. The curves are running means over a tenth of the iterations."
    )


def _compare(ways: list[Sampling], page: Page) -> None:
    """Add the comparisons with whole pictures, and the table."""
    whole = ways[0]
    level = max(float(running_mean(each.losses).min()) for way in ways[: len(SHARES)] for each in way.trainings)
    half = len(whole.trainings[0].losses) // 2
    for way in ways[1 : len(SHARES)]:
        differences = [
            float(np.mean(each.losses[half:]) - np.mean(other.losses[half:]))
            for each, other in zip(way.trainings, whole.trainings, strict=True)
        ]
        compare_differences(
            page,
            f"mean loss of the second half of the iterations with {way.name} of the patches, less whole pictures",
            "no significant effect on the rate of convergence by iteration",
            differences,
            3,
        )
        page.compare(
            f"time of an iteration with {way.name} of the patches, as a multiple of whole pictures",
            "significantly more time",
            f"{way.step_seconds() / whole.step_seconds():.1f}",
            f"it has {way.pictures / whole.pictures:.0f} times as many pictures",
        )
    rows = [
        (
            way.name,
            way.pictures,
            spread([each.last_loss(0.5) for each in way.trainings], 3),
            spread([iterations_to(each, level) for each in way.trainings], 0),
            spread([each.seconds[iterations_to(each, level) - 1] for each in way.trainings]),
            f"{1000 * way.step_seconds():.0f}",
            spread([100 * each.pixel_accuracy for each in way.metrics]),
            spread([100 * each.mean_iu for each in way.metrics]),
        )
        for way in ways
    ]
    heading = (
        *("patches", "pictures", "loss, second half", f"iterations to {level:.2f}", f"seconds to {level:.2f}"),
        *("ms a step", "pixel accuracy", "mean IU"),
    )
    page.table(heading, rows)
