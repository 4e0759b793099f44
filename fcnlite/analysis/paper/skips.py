"""Skips combine what and where: FCN-32s, FCN-16s, FCN-8s (paper, section 4.2, tables 2 and 3, figure 4).

    32s    score(fc7)                           upsampled by 32
    16s    2 × up(score(fc7)) + score(pool4)    upsampled by 16
    8s     2 × up(16s) + score(pool3)           upsampled by 8

A skip is a 1×1 convolution to class scores that starts at zero, so a net with one more skip begins as the net without
it. Staged: each net starts from the weights of the coarser one. At once: all skips learn from the start. Alone: the
scores of one pooled map, and of nothing above it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from fcnlite import data, models
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.figures import predictions, sheet, shown, truths
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.training import (
    METRICS,
    begin,
    evaluate,
    percentages,
    shipped_trunk,
    small_net,
    train,
    weights_of,
)
from fcnlite.analysis.paper.upper_bounds import FACTORS, bounds
from fcnlite.data import Dataset
from fcnlite.data.dataset import read_sample
from fcnlite.data.loader import blobs
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import SpecError
from fcnlite.models.builder import FIXED, Builder
from fcnlite.net import Net
from fcnlite.segmentation.metrics import Metrics
from fcnlite.solver import SGD, AdamW, Solver
from fcnlite.surgery import Weights

PAPER: Mapping[str, str] = {
    "FCN-32s": "59.4, reported 63.6",
    "FCN-16s": "62.4, reported 65.0",
    "FCN-8s": "62.7, reported 65.5",
    "FCN-8s at once": "reported 65.4",
    "pool5 alone": "reported 50.0",
    "pool4 alone": "reported 22.4",
    "pool3 alone": "reported 9.2",
}
"""Mean IU in percent on the validation pictures of VOC 2011 (CVPR, table 2), and in PAMI's table 3."""
ALONE = ("pool5", "pool4", "pool3")
_STRIDES = {"pool5": 32, "pool4": 16, "pool3": 8}
_SIZE, _MEASURED = 192, 40
"""The height and width of the generated pictures, and the number of them that measure a net."""
_SHOWN = 4
"""The pictures of the figure."""


@dataclass(frozen=True)
class Stage:
    """A part of a training: the stride of the net, and its share of the iterations."""

    stride: int
    share: float


@dataclass(frozen=True)
class Family:
    """Nets of three strides, and how they are trained."""

    describe: Callable[[int, int, bool], NetSpec]
    """The net for (stride, classes, at once)."""
    start: str | Weights
    """A file of weights or the weights by layer name."""
    stages: Mapping[str, tuple[Stage, ...]]
    """The stages of the staged nets by name."""
    rates: Mapping[int, float]
    """The learning rate by stride; at once and alone have that of 32."""
    batch_size: int
    iterations: int
    """The iterations of a share of 1."""
    rule: Callable[..., Solver]
    options: Mapping[str, Any]
    """Further options of the solver."""

    def iterations_of(self, stage: Stage) -> int:
        """The iterations of a stage; at least 1."""
        return max(1, round(stage.share * self.iterations))


def small(dataset: Dataset) -> Family:
    """Lite nets of an eighth of VGG-16's width with plain skips, on the trunk of the shipped classifier.

    At once, factors give the streams of the first picture of `dataset` equal sizes.
    """
    start = shipped_trunk()
    net = begin(small_net(len(dataset.classes), 8), dataset, start)
    coarse, *skips = sizes(net, dataset).items()
    factors = {pool: coarse[1] / size for pool, size in skips}

    def describe(stride: int, classes: int, at_once: bool) -> NetSpec:
        spec = small_net(classes, stride)
        return scaled(spec, factors) if at_once else spec

    stages = {
        "FCN-32s": (Stage(32, 0.5), Stage(32, 0.5)),
        "FCN-16s": (Stage(32, 0.5), Stage(16, 0.5)),
        "FCN-8s": (Stage(32, 0.5), Stage(16, 0.25), Stage(8, 0.25)),
    }
    rates = {32: 0.001, 16: 0.001, 8: 0.001}
    return Family(describe, start, stages, rates, 4, 240, AdamW, {"lr_policy": "poly", "power": 1.0})


def reference(init: str) -> Family:
    """The nets, rates and iterations of the FCN reference, on the weights in the file `init`."""

    def describe(stride: int, classes: int, at_once: bool) -> NetSpec:
        return models.describe(f"voc-fcn{stride}s{'-atonce' if at_once else ''}", classes=classes)

    each = 1 / 3
    stages = {
        "FCN-32s": (Stage(32, each),),
        "FCN-16s": (Stage(32, each), Stage(16, each)),
        "FCN-8s": (Stage(32, each), Stage(16, each), Stage(8, each)),
    }
    rates = {32: 1e-10, 16: 1e-12, 8: 1e-14}
    return Family(describe, init, stages, rates, 1, 300_000, SGD, {"momentum": 0.99, "weight_decay": 0.0005})


def scaled(spec: NetSpec, factors: Mapping[str, float]) -> NetSpec:
    """`spec` with a fixed factor on the features of each skip, by the name of the pooled map."""
    layers: list[LayerSpec] = []
    for layer in spec:
        pool = layer.name.removeprefix("score_")
        if layer.name.startswith("score_") and pool in factors:
            filler = {"type": "constant", "value": factors[pool]}
            name = f"scale_{pool}"
            layers.append(LayerSpec(name, "Scale", (pool,), (name,), {"filler": filler}, FIXED))
            layer = replace(layer, bottom=(name,))
        layers.append(layer)
    return replace(spec, layers=tuple(layers))


def alone(spec: NetSpec, pool: str, classes: int) -> NetSpec:
    """The layers of `spec` up to a pooled map, scores of that map, upsampling by its stride, and the loss of `spec`.

    Raises `SpecError` if the net has no such map.
    """
    names = [layer.name for layer in spec]
    if pool not in names:
        found = ", ".join(each for each in names if each.startswith("pool")) or "none"
        raise SpecError(f"net {spec.name!r} has no {pool}; its pooled maps: {found}.")
    net = Builder(f"{pool}-alone")
    net.layers += [layer for layer in spec if layer.type == "Input" or layer.name in names[: names.index(pool) + 1]]
    score = net.score(f"score_{pool}", pool, classes)
    score = net.upsample(f"upscore_{pool}", score, classes, _STRIDES[pool])
    net.crop("score", score, "data")
    net.layers += [layer for layer in spec if layer.type == "SoftmaxWithLoss"]
    return net.spec()


class Trainings:
    """Trains the nets of a family on a data set. Stages that begin alike are trained once."""

    def __init__(self, family: Family, dataset: Dataset, seed: int = 0) -> None:
        self.family = family
        self.dataset = dataset
        self.seed = seed
        self._known: dict[tuple[Stage, ...], Weights] = {}

    def staged(self, name: str) -> Net:
        """The staged net of this name."""
        spec = self.family.describe(self.family.stages[name][-1].stride, len(self.dataset.classes), False)
        return begin(spec, self.dataset, self._weights(self.family.stages[name]), self.seed)

    def _weights(self, stages: tuple[Stage, ...]) -> str | Weights:
        """The weights of the last stage's net, which starts from the weights of the stages before it."""
        if not stages:
            return self.family.start
        if stages not in self._known:
            spec = self.family.describe(stages[-1].stride, len(self.dataset.classes), False)
            start = self._weights(stages[:-1])
            self._known[stages] = weights_of(self._trained(spec, start, stages[-1], len(stages) - 1))
        return self._known[stages]

    def at_once(self) -> Net:
        """FCN-8s whose skips all learn from the start."""
        spec = self.family.describe(8, len(self.dataset.classes), True)
        return self._trained(spec, self.family.start, Stage(32, 1))

    def alone(self, pool: str) -> Net:
        """The net that scores one pooled map."""
        classes = len(self.dataset.classes)
        spec = alone(self.family.describe(32, classes, False), pool, classes)
        return self._trained(spec, self.family.start, Stage(32, 1))

    def _trained(self, spec: NetSpec, start: str | Weights, stage: Stage, place: int = 0) -> Net:
        """A net trained for one stage, at the rate of its stride. Each place in the order sees other pictures."""
        net = begin(spec, self.dataset, start, self.seed)
        iterations = self.family.iterations_of(stage)
        train(
            net,
            self.dataset,
            iterations,
            batch_size=self.family.batch_size,
            seed=self.seed + place,
            rule=self.family.rule,
            base_lr=self.family.rates[stage.stride],
            max_iter=iterations,
            **self.family.options,
        )
        return net


def sizes(net: Net, dataset: Dataset) -> dict[str, float]:
    """The root mean square of the features that each stream scores, for the first picture of `dataset`, by blob."""
    names = [layer.spec.bottom[0] for layer in net.layers if layer.type == "Convolution" and "score" in layer.spec.name]
    picture = blobs(read_sample(dataset, 0), net.info.preprocessing)["data"]
    found = net.share("TEST").forward(data=picture[None], outputs=names)
    return {name: float(np.sqrt(np.mean(np.square(found[name], dtype=np.float64)))) for name in names}


def run(settings: Settings, page: Page) -> None:
    """Fill the page with the metrics and label maps of the nets, by default small ones on shapes of 192×192 pixels."""
    train_set = settings.train_set or data.open("shapes", split="train", size=_SIZE, count=1000)
    val_set = settings.val_set or data.open("shapes", split="test", size=_SIZE, count=_MEASURED)
    family = small(train_set) if settings.init is None else reference(settings.init)
    if settings.iterations is not None:
        family = replace(family, iterations=settings.iterations)
    trainings = Trainings(family, train_set, settings.seed)
    ways: dict[str, Callable[[], Net]] = {name: partial(trainings.staged, name) for name in family.stages}
    ways["FCN-8s at once"] = trainings.at_once
    ways |= {f"{pool} alone": partial(trainings.alone, pool) for pool in ALONE}
    found: dict[str, Metrics] = {}
    columns = [[next(iter(each.images.values())) for each in shown(val_set, _SHOWN)]]
    streams: dict[str, float] = {}
    for name, train_net in ways.items():
        net = train_net()
        found[name] = evaluate(net, val_set)
        if name in family.stages:
            columns += predictions(net, val_set, _SHOWN).values()
            streams = sizes(net, train_set)
        del net  # A net of VGG-16's width, with its gradients, has a gigabyte.
    for name, metrics in found.items():
        page.compare(f"mean IU of {name}", PAPER[name], f"{100 * metrics.mean_iu:.1f}", _note(name))
    page.table(("net", *METRICS), [(name, *percentages(metrics)) for name, metrics in found.items()])
    columns.append(truths(val_set, _SHOWN))
    page.picture("figure-4", sheet(columns), "Picture, FCN-32s, FCN-16s, FCN-8s, truth (figure 4 of the CVPR paper).")
    budget = ", ".join(
        f"{name} has {' + '.join(str(family.iterations_of(each)) for each in stages)} iterations"
        for name, stages in family.stages.items()
    )
    page.text(
        f"Data: {train_set.name}, {len(train_set)} pictures to learn from, {len(val_set)} of the split {val_set.split} "
        f"to measure. Stages of FCN-32s, FCN-16s and FCN-8s in turn: {budget}; the other nets have "
        f"{family.iterations}, all of {family.batch_size} pictures. Alone, the net ends at the pooled map and its "
        "scores."
    )
    labels = (np.asarray(val_set[i].label) for i in range(len(val_set)))
    bound = bounds(labels, len(val_set.classes))[FACTORS.index(32)]
    page.text(
        f"The truth itself, downsampled by 32, has a mean IU of {100 * bound.mean_iu:.1f} on these pictures, and of "
        "86.1 on VOC: the smaller the objects beside the stride, the more the skips have to add."
    )
    if settings.init is None:
        page.text(
            "The trunk is that of the shipped classifier, which learned from whole pictures of one shape (the "
            "experiment pre-training). Its BatchNorm layers keep the statistics of that training, so that they are "
            "fixed factors and the net is one without normalisation, like VGG-16. Rates and iterations were chosen on "
            "the split val, not on the pictures that are measured here. The rate of every stage falls to 0."
        )
    page.heading("Streams of equal size")
    page.table(("features of FCN-8s", "root mean square"), [(name, f"{value:.3g}") for name, value in streams.items()])
    page.text(
        "The FCN reference multiplies pool4 by 0.01 and pool3 by 0.0001 to train all skips at once, so that the "
        "streams of VGG-16, which has no normalisation, get similar sizes. Here the factors are measured at the start: "
        "with them each stream has the size of the coarsest."
    )


def _note(name: str) -> str:
    return {
        "FCN-16s": "gain of the skip from pool4",
        "FCN-8s": "gain of the skip from pool3",
        "FCN-8s at once": "against FCN-8s, which is staged",
    }.get(name, "")
