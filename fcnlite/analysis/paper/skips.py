"""Skips combine what and where: FCN-32s, FCN-16s, FCN-8s (paper, section 4.2, tables 2 and 3, figure 4).

    32s    score(fc7)                           upsampled by 32
    16s    2 × up(score(fc7)) + score(pool4)    upsampled by 16
    8s     2 × up(16s) + score(pool3)           upsampled by 8

A skip is a 1×1 convolution to class scores that starts at zero, so a net with one more skip begins close to the net
without it. Staged: each net starts from the weights of the coarser one. At once: all skips learn from the start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from fcnlite import data, models
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.training import (
    METRICS,
    begin,
    evaluate,
    fixed_statistics,
    percentages,
    shipped_trunk,
    train,
    weights_of,
)
from fcnlite.arrays import Array
from fcnlite.data import Dataset
from fcnlite.data.dataset import read_sample
from fcnlite.data.loader import blobs
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import SpecError
from fcnlite.models.lite import lite_fcn
from fcnlite.net import Net
from fcnlite.segmentation.plots.label_maps import label_image
from fcnlite.segmentation.segmenter import Segmenter
from fcnlite.surgery import Weights

STRIDES = (32, 16, 8)
PAPER: Mapping[str, str] = {"FCN-32s": "59.4", "FCN-16s": "62.4", "FCN-8s": "62.7"}
"""Mean IU in percent on the validation pictures of VOC 2011 (CVPR, table 2)."""
REPORTED: Mapping[str, str] = {
    "FCN-8s at once": "reported 65.4 (staged: 65.5)",
    "pool4 alone": "reported 22.4 (FCN-32s: 63.6)",
    "pool3 alone": "reported 9.2 (FCN-32s: 63.6)",
}
"""Mean IU in percent of PAMI's table 3."""
_SHOWN = 4
"""The pictures of the figure."""


@dataclass(frozen=True)
class Family:
    """Nets of three strides, and how they are trained."""

    describe: Callable[[int, int, bool], NetSpec]
    """The net for (stride, classes, at once)."""
    start: str | Weights
    """A file of weights or the weights by layer name."""
    rates: Mapping[int, float]
    """The learning rate by stride; at once has that of 32."""
    momentum: float
    batch_size: int
    iterations: int
    """The budget of a net, over all its stages."""
    weight_decay: float


def plain_skips(spec: NetSpec) -> NetSpec:
    """A lite net with the paper's skips: scores of the pooled maps, without the convolution before them."""

    def changed(layer: LayerSpec) -> LayerSpec:
        if not layer.name.startswith("score_pool"):
            return layer
        return replace(layer, bottom=(layer.name.removeprefix("score_"),))

    return replace(spec, layers=tuple(changed(layer) for layer in spec if not layer.name.endswith("_skip")))


def alone(spec: NetSpec, pool: str) -> NetSpec:
    """`spec` whose scores are those of one skip alone: the coarser scores get the factor 0 in the sum.

    Raises `SpecError` if the net has no such skip.
    """
    name = f"fuse_{pool}"
    if all(layer.name != name for layer in spec):
        found = ", ".join(each.name.removeprefix("fuse_") for each in spec if each.name.startswith("fuse_")) or "none"
        raise SpecError(f"net {spec.name!r} has no skip from {pool}; its skips: {found}.")

    def changed(layer: LayerSpec) -> LayerSpec:
        if layer.name != name:
            return layer
        coefficients = [float(bottom.startswith("score_pool")) for bottom in layer.bottom]
        return replace(layer, options={**layer.options, "coeff": coefficients})

    return replace(spec, layers=tuple(map(changed, spec.layers)))


def small() -> Family:
    """Lite nets of an eighth of VGG-16's width with plain skips, on the shipped trunk."""

    def describe(stride: int, classes: int, at_once: bool) -> NetSpec:
        return plain_skips(fixed_statistics(lite_fcn(f"lite-fcn{stride}s", classes, 1 / 8, "VALID", stride=stride)))

    return Family(describe, shipped_trunk(), dict.fromkeys(STRIDES, 0.002), 0.9, 1, 150, 0.0)


def reference(init: str) -> Family:
    """The nets, rates and iterations of the FCN reference, on the weights in the file `init`."""

    def describe(stride: int, classes: int, at_once: bool) -> NetSpec:
        return models.describe(f"voc-fcn{stride}s{'-atonce' if at_once else ''}", classes=classes)

    return Family(describe, init, {32: 1e-10, 16: 1e-12, 8: 1e-14}, 0.99, 1, 300_000, 0.0005)


def trained(
    family: Family, dataset: Dataset, strides: tuple[int, ...], *, at_once: bool = False, pool: str = "", seed: int = 0
) -> Net:
    """A net trained in stages of these strides, each on the weights of the stage before; the budget is split evenly.

    `at_once`: a net with all skips in one stage. `pool`: the scores of this skip alone.
    """
    weights: str | Weights = family.start
    for stride in strides:
        spec = family.describe(stride, len(dataset.classes), at_once)
        net = begin(alone(spec, pool) if pool else spec, dataset, weights, seed)
        train(
            net,
            dataset,
            family.iterations // len(strides),
            batch_size=family.batch_size,
            seed=seed,
            base_lr=family.rates[32 if at_once else stride],
            momentum=family.momentum,
            weight_decay=family.weight_decay,
        )
        weights = weights_of(net)
    return net


def norms(net: Net, picture: Array) -> dict[str, float]:
    """The root mean square of the features that each stream scores, for a picture N×C×H×W."""
    names = [layer.spec.bottom[0] for layer in net.layers if layer.type == "Convolution" and "score" in layer.spec.name]
    found = net.share("TEST").forward(data=picture, outputs=names)
    return {name: float(np.sqrt(np.mean(np.square(found[name], dtype=np.float64)))) for name in names}


def figure(nets: Mapping[str, Net], dataset: Dataset, count: int = _SHOWN) -> Array:
    """A row for each of the first `count` pictures: picture, the label map of each net, and the truth.

    H×W×3 uint8 RGB; pictures of other sizes than the first are left out.
    """
    rows: list[Array] = []
    segmenters = [Segmenter(net.share("TEST")) for net in nets.values()]
    for i in range(min(count, len(dataset))):
        sample = dataset[i]
        image = np.asarray(next(iter(sample.images.values())))
        maps = [*(segmenter(image) for segmenter in segmenters), np.asarray(sample.label)]
        shown = [np.asarray(label_image(each, dataset.colors).convert("RGB")) for each in maps]
        row = np.concatenate([image, *shown], axis=1)
        if not rows or row.shape == rows[0].shape:
            rows.append(row)
    sheet = np.concatenate(rows)
    factor = max(1, 900 // sheet.shape[1])
    enlarged: Array = sheet.repeat(factor, axis=0).repeat(factor, axis=1)
    return enlarged


def run(settings: Settings, page: Page) -> None:
    """Fill the page with the metrics and label maps of the nets, by default small ones on shapes of 96×96 pixels."""
    train_set = settings.train_set or data.open("shapes", split="train", size=96, count=1000)
    val_set = settings.val_set or data.open("shapes", split="val", size=96, count=30)
    family = small() if settings.init is None else reference(settings.init)
    if settings.iterations is not None:
        family = replace(family, iterations=settings.iterations)
    seed = settings.seed
    nets = {
        "FCN-32s": trained(family, train_set, (32,), seed=seed),
        "FCN-16s": trained(family, train_set, (32, 16), seed=seed),
        "FCN-8s": trained(family, train_set, (32, 16, 8), seed=seed),
        "FCN-8s at once": trained(family, train_set, (8,), at_once=True, seed=seed),
        "pool4 alone": trained(family, train_set, (16,), pool="pool4", seed=seed),
        "pool3 alone": trained(family, train_set, (8,), pool="pool3", seed=seed),
    }
    found = {name: evaluate(net, val_set) for name, net in nets.items()}
    for name, metrics in found.items():
        page.compare(
            f"mean IU of {name}", PAPER.get(name) or REPORTED[name], f"{100 * metrics.mean_iu:.1f}", _note(name)
        )
    page.table(("net", *METRICS), [(name, *percentages(metrics)) for name, metrics in found.items()])
    three = {name: nets[name] for name in PAPER}
    page.picture(
        "figure-4", figure(three, val_set), "Picture, FCN-32s, FCN-16s, FCN-8s, truth (figure 4 of the CVPR paper)."
    )
    page.text(
        f"Data: {train_set.name}, {len(train_set)} pictures to learn from, {len(val_set)} to measure. All nets have "
        f"the same budget of {family.iterations} iterations. FCN-16s spends half of it as FCN-32s, and FCN-8s a third "
        "as FCN-32s and a third as FCN-16s. At once, all skips learn from the start."
    )
    if settings.init is None:
        page.text(
            "The trunk is that of the shipped net shapes-fcn8s, which was trained on such shapes with skips. It has "
            "the place of a trunk trained on ImageNet, but its pool3 and pool4 already suit skips. So these streams "
            "alone, and all skips at once, do better here than in the paper. The shapes are small beside a stride of "
            "32, so the skips gain more than on VOC. Every stage has the same rate; the paper divides it by 100 from "
            "stage to stage, in stages that are a thousand times longer."
        )
    if found["FCN-32s"].mean_accuracy < 1.1 / len(train_set.classes):
        page.text(
            "FCN-32s still predicts background almost everywhere after this budget. Staged training spends its first "
            "stage there, which is why it is behind training at once in the same budget."
        )
    page.heading("Streams of equal size")
    net = nets["FCN-8s"]
    blob = blobs(read_sample(train_set, 0), net.info.preprocessing)["data"][None]
    page.table(("features", "root mean square"), [(name, f"{value:.3g}") for name, value in norms(net, blob).items()])
    page.text(
        "The FCN reference multiplies pool4 by 0.01 and pool3 by 0.0001 to train all skips at once, so that the "
        "streams of VGG-16, which has no normalisation, get similar sizes. With BatchNorm in the trunk, as in the "
        "small nets, the sizes are similar without factors."
    )


def _note(name: str) -> str:
    return {
        "FCN-16s": "gain of the skip from pool4",
        "FCN-8s": "gain of the skip from pool3",
        "FCN-8s at once": "against FCN-8s, which is staged",
    }.get(name, "")
