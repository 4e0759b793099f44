"""Skips combine what and where: FCN-32s, FCN-16s, FCN-8s (section 4.2; CVPR table 2, PAMI table 3, figure 4).

    32s    score(fc7)                           upsampled by 32
    16s    2 × up(score(fc7)) + score(pool4)    upsampled by 16
    8s     2 × up(16s) + score(pool3)           upsampled by 8

A skip is a 1×1 convolution to class scores that starts at zero, so a net with one more skip begins with the outputs of
the net without it. In staged training each net starts from the weights of the coarser one. In training at once all
skips learn from the start. A net of pool5, pool4 or pool3 alone scores this map, and has no layers above it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from fcnlite import models
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.experiments.upper_bounds import FACTORS, bounds
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.tools.budget import check_finite, seeds_of
from fcnlite.analysis.paper.tools.datasets import data_sets
from fcnlite.analysis.paper.tools.figures import class_colors, predictions, sheet, shown, truths
from fcnlite.analysis.paper.tools.nets import slower, weights_of
from fcnlite.analysis.paper.tools.small_nets import shipped_trunk, small_fcn
from fcnlite.analysis.paper.tools.statistics import METRICS, compare_differences, percentages, spread
from fcnlite.analysis.paper.tools.training import begin, evaluate, train
from fcnlite.data import Dataset
from fcnlite.data.dataset import read_sample
from fcnlite.data.loader import blobs
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import SpecError
from fcnlite.models.builder import FIXED, Builder
from fcnlite.net import Net
from fcnlite.segmentation.metrics import Metrics
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
GAINS = {"FCN-16s": "+3.0", "FCN-8s": "+0.3"}
"""The gains of the skips in points (CVPR, section 4.2 and table 2)."""
ALONE = ("pool5", "pool4", "pool3")
_STRIDES = {"pool5": 32, "pool4": 16, "pool3": 8}
_TRUNK_RATE = 0.1
"""The rate of the small nets' trunk as a share of that of the scores."""
_SIZE, _MEASURED = 192, 40
"""The height and width of the generated pictures, and the number of them that measure a net."""
_SEEDS = 3
"""The seeds of the default run: one training does not order FCN-16s and FCN-8s."""
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
    """The learning rate of the staged nets by stride; the nets alone have that of 32."""
    rate_at_once: float
    iterations: int
    """The iterations of a share of 1, each of one picture."""
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
    net = begin(small_fcn(len(dataset.classes), 8), dataset, start)
    coarse, *skips = sizes(net, dataset).items()
    factors = {pool: coarse[1] / size for pool, size in skips}

    def describe(stride: int, classes: int, at_once: bool) -> NetSpec:
        spec = slower(small_fcn(classes, stride), _TRUNK_RATE)
        return scaled(spec, factors) if at_once else spec

    each = 1 / 3
    stages = {
        "FCN-32s": (Stage(32, each),) * 3,
        "FCN-16s": (Stage(32, each), Stage(16, each), Stage(16, each)),
        "FCN-8s": (Stage(32, each), Stage(16, each), Stage(8, each)),
    }
    rates = {32: 0.02, 16: 0.02, 8: 0.01}
    options = {"momentum": 0.9, "lr_policy": "poly", "power": 1.0}
    return Family(describe, start, stages, rates, 0.002, 600, options)


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
    return Family(describe, init, stages, rates, 1e-10, 300_000, {"momentum": 0.99, "weight_decay": 0.0005})


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

    def ways(self) -> dict[str, Callable[[], Net]]:
        """The functions that train the nets of the page, by name."""
        staged = {name: partial(self.staged, name) for name in self.family.stages}
        return {
            **staged,
            "FCN-8s at once": self.at_once,
            **{f"{pool} alone": partial(self.alone, pool) for pool in ALONE},
        }

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
            rate, iterations = self.family.rates[stages[-1].stride], self.family.iterations_of(stages[-1])
            self._known[stages] = weights_of(self._trained(spec, start, rate, iterations, len(stages) - 1))
        return self._known[stages]

    def at_once(self) -> Net:
        """FCN-8s whose skips all learn from the start."""
        spec = self.family.describe(8, len(self.dataset.classes), True)
        return self._trained(spec, self.family.start, self.family.rate_at_once, self.family.iterations)

    def alone(self, pool: str) -> Net:
        """The net that scores one pooled map."""
        classes = len(self.dataset.classes)
        spec = alone(self.family.describe(32, classes, False), pool, classes)
        return self._trained(spec, self.family.start, self.family.rates[32], self.family.iterations)

    def _trained(self, spec: NetSpec, start: str | Weights, rate: float, iterations: int, place: int = 0) -> Net:
        """A net trained in one stage. Each place in the order of the stages has its own order of the pictures.

        Raises `TrainingError` if the loss becomes infinite or NaN.
        """
        net = begin(spec, self.dataset, start, self.seed)
        training = train(
            net,
            self.dataset,
            iterations,
            seed=self.seed + place,
            base_lr=rate,
            max_iter=iterations,
            **self.family.options,
        )
        check_finite(spec.name, training, rate, isinstance(self.family.start, str))
        return net


def sizes(net: Net, dataset: Dataset) -> dict[str, float]:
    """The root mean square of the features that each stream scores, for the first picture of `dataset`, by blob."""
    names = [layer.spec.bottom[0] for layer in net.layers if layer.type == "Convolution" and "score" in layer.spec.name]
    picture = blobs(read_sample(dataset, 0), net.info.preprocessing)["data"]
    found = net.share("TEST").forward(data=picture[None], outputs=names)
    return {name: float(np.sqrt(np.mean(np.square(found[name], dtype=np.float64)))) for name in names}


def run(settings: Settings, page: Page) -> None:
    """Fill the page with the metrics and label maps of the nets, by default small ones on shapes of 192×192 pixels."""
    train_set, test_set = data_sets(settings, _SIZE, test=_MEASURED, single=True)
    family = small(train_set) if settings.init is None else reference(settings.init)
    if settings.iterations is not None:
        family = replace(family, iterations=settings.iterations)
    found: dict[str, list[Metrics]] = {}
    columns = [[next(iter(each.images.values())) for each in shown(test_set, _SHOWN)]]
    streams: dict[str, float] = {}
    seeds = seeds_of(settings, _SEEDS)
    for seed in seeds:
        for name, train_net in Trainings(family, train_set, seed).ways().items():
            net = train_net()
            found.setdefault(name, []).append(evaluate(net, test_set))
            if name in family.stages and seed == settings.seed:
                columns += predictions(net, test_set, _SHOWN).values()
                streams = sizes(net, train_set)
            del net  # A net of VGG-16's width, with its gradients, has a gigabyte.
    for name, metrics in found.items():
        mean_iu = spread([100 * each.mean_iu for each in metrics])
        page.compare(f"mean IU of {name}", PAPER[name], mean_iu, _note(name))
    for finer, coarser in (("FCN-16s", "FCN-32s"), ("FCN-8s", "FCN-16s")):
        gains = [100 * (a.mean_iu - b.mean_iu) for a, b in zip(found[finer], found[coarser], strict=True)]
        compare_differences(page, f"mean IU of {finer} less that of {coarser}", GAINS[finer], gains)
    rows = [
        (name, seed, *percentages(each))
        for name, metrics in found.items()
        for seed, each in zip(seeds, metrics, strict=True)
    ]
    page.table(("net", "seed", *METRICS), rows)
    columns.append(truths(test_set, _SHOWN))
    page.picture("figure-4", sheet(columns), "Picture, FCN-32s, FCN-16s, FCN-8s, truth (figure 4 of the CVPR paper).")
    page.legend(class_colors(test_set.classes, test_set.colors))
    stages = "; ".join(
        f"{name} {' + '.join(str(family.iterations_of(each)) for each in parts)}"
        for name, parts in family.stages.items()
    )
    page.text(
        f"Data: {train_set.name}, {len(train_set)} pictures to learn from and {len(test_set)} of the split "
        f"{test_set.split} to measure. Iterations of one picture in each stage: {stages}; the others "
        f"{family.iterations}. FCN-16s starts from FCN-32s, and FCN-8s from FCN-16s. FCN-8s at once learns all skips "
        "from the start. A net of a map alone scores this map and has no layers above it. "
        f"Each net is trained with {len(seeds)} {'seed' if len(seeds) == 1 else 'seeds'}; the first is in the pictures."
    )
    labels = (np.asarray(test_set[i].label) for i in range(len(test_set)))
    bound = bounds(labels, len(test_set.classes))[FACTORS.index(32)]
    page.text(
        f"The truth itself, downsampled by 32, has a mean IU of {100 * bound.mean_iu:.1f} on these pictures, and of "
        "86.1 on VOC in the paper: the smaller the objects are compared with the stride, the more the skips can add."
    )
    if settings.init is None:
        page.text(
            "The trunk is that of the shipped classifier, which learned from whole pictures of one shape (the "
            "experiment pre-training) and never saw the label of a pixel. Its BatchNorm layers keep the statistics of "
            "that training, so they are fixed factors, and the net has no normalisation, like VGG-16. In so short a "
            "training the scores need a high rate, at which the trunk would forget what it has learned. The trunk "
            f"therefore learns at {_TRUNK_RATE:g} times the rate of the scores. That is {family.rates[32]:g}, "
            f"{family.rates[8]:g} in the stage of FCN-8s, and {family.rate_at_once:g} at once, where higher rates did "
            "not work. The rate falls to 0 in each stage. Rates and iterations were chosen on the split val."
        )
    else:
        page.text(
            f"The nets are those of the FCN reference, from the weights in {settings.init}, and so are the rates: "
            f"{family.rates[32]:g}, {family.rates[16]:g} and {family.rates[8]:g} for the three strides, and "
            f"{family.rate_at_once:g} at once."
        )
    if settings.train_set is None:
        page.text(
            "Each class of the generated shapes has its own texture. The receptive field of pool3 is large enough for "
            "a texture, but not for most objects of VOC. This may be why pool3 and pool4 alone do better here than in "
            "the paper."
        )
    if np.mean([a.mean_iu - b.mean_iu for a, b in zip(found["FCN-8s"], found["FCN-16s"], strict=True)]) <= 0:
        page.text(
            "FCN-8s is not ahead of FCN-16s here, unlike in the paper. All nets have the same budget, so that FCN-16s "
            "learns for two stages with its skip; the paper adds a stage for each skip."
        )
    page.heading("Streams of equal size")
    page.table(("features of FCN-8s", "root mean square"), [(name, f"{value:.3g}") for name, value in streams.items()])
    words = (
        "To train all skips at once, the FCN reference multiplies pool4 by 0.01 and pool3 by 0.0001. The features of "
        "the streams then have similar sizes, which those of VGG-16 do not have, because it has no normalisation."
    )
    if settings.init is None:
        words += " Here the factors are measured before training, and give each stream the size of the coarsest one."
    page.text(words)


def _note(name: str) -> str:
    return {
        "FCN-16s": "gain of the skip from pool4",
        "FCN-8s": "gain of the skip from pool3",
        "FCN-8s at once": "against FCN-8s, which is staged",
    }.get(name, "")
