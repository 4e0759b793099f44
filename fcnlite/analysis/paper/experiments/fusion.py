"""Early and late fusion of colour and depth (section 5, NYUDv2; table 4).

Early fusion feeds depth as a fourth channel of the picture. The trunk was trained on colour, and the weights of the new
channel start as the mean of those of the other three. Late fusion has a net for each picture and takes the mean of
their scores; both nets learn together. The logarithm of the depth is about 100 times smaller than the bytes of the
colours. The FCN reference feeds it like that to early fusion; the other nets here get it scaled to the size of the
colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fcnlite import models, surgery
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.tools.budget import budget, setting
from fcnlite.analysis.paper.tools.datasets import Derived, log_shares
from fcnlite.analysis.paper.tools.figures import class_colors, depth_picture, predictions, sheet, shown, truths
from fcnlite.analysis.paper.tools.rgbd import rgbd_shapes
from fcnlite.analysis.paper.tools.small_nets import COARSEST, SHALLOW, shallow_features, shipped_trunk
from fcnlite.analysis.paper.tools.statistics import METRICS, percentages, spread
from fcnlite.analysis.paper.tools.training import begin, evaluate
from fcnlite.arrays import Array
from fcnlite.data import Dataset
from fcnlite.data.sample import Sample
from fcnlite.description.spec import NetSpec
from fcnlite.errors import DataError, TrainingError
from fcnlite.loading import read_weights
from fcnlite.models import fcn, lite, vgg
from fcnlite.models.builder import Builder
from fcnlite.surgery import Weights

DEPTH_SCALE = 200.0
"""The factor on the logarithm of depths, less its mean, which gives them about the deviation of the colours' bytes."""
CHANNELS = {"color": 3, "depth": 1, "hha": 3}
_SIZE = 64
_PICTURES = (1000, 100)
"""The number of pictures for training and for the test."""
_ITERATIONS = 300
_RATE = 0.4
_SEEDS = 2


@dataclass(frozen=True)
class Way:
    """A way to use the pictures."""

    name: str
    pictures: tuple[str, ...]
    paper: str = ""
    """Mean IU in percent of FCN-32s on NYUDv2 (table 4); empty if the paper has none."""
    late: bool = False
    scaled: bool = True
    """Whether depth has the size of the colours."""


def ways(pictures: Sequence[str]) -> list[Way]:
    """The ways to use these pictures: `color`, and `depth` or `hha` or both.

    Raises `DataError` unless there is colour and one of the others.
    """
    others = [each for each in ("depth", "hha") if each in pictures]
    if "color" not in pictures or not others:
        raise DataError(
            f"fusion needs colour and depth, but the pictures of the data set are for {', '.join(pictures)}; use nyud "
            "with --data-option inputs=color,depth or inputs=color,depth,hha."
        )
    encoded = "hha" in others

    def paper(figure: float, picture: str) -> str:
        return "" if encoded and picture == "depth" else f"{figure}" if picture == "hha" else f"{figure} (HHA)"

    found = [Way("colour alone", ("color",), "29.2")]
    found += [Way(f"{each} alone", (each,), paper(24.2, each)) for each in others]
    if "depth" in others:
        found.append(Way("early fusion", ("color", "depth"), "30.5", scaled=False))
        found.append(Way("early fusion, depth scaled", ("color", "depth")))
    for each in others:
        found.append(Way(f"late fusion with {each}", ("color", each), paper(32.8, each), late=True))
    return found


def view(dataset: Dataset, way: Way) -> Dataset:
    """`dataset` with the pictures of `way`; a single one is fed to `data`."""
    names = {"data": way.pictures[0]} if len(way.pictures) == 1 else {each: each for each in way.pictures}

    def change(sample: Sample, index: int) -> Sample:
        return replace(sample, images={blob: sample.images[name] for blob, name in names.items()})

    inputs = {blob: replace(dataset.preprocessing.of(name), others={}) for blob, name in names.items()}
    if way.scaled:
        inputs = {
            blob: replace(each, scale=DEPTH_SCALE) if each.color == "DEPTH" else each for blob, each in inputs.items()
        }
    first, *others = inputs
    preprocessing = replace(inputs[first], others={blob: inputs[blob] for blob in others})
    return Derived(dataset, change, pictures=tuple(names), preprocessing=preprocessing)


def small(way: Way, classes: int) -> NetSpec:
    """The small net for `way`."""
    net = Builder("small-fcn")
    single = len(way.pictures) == 1
    inputs = [net.input("data" if single else each, 1, CHANNELS[each], 224, 224) for each in way.pictures]
    label = net.input("label", 1, 1, 224, 224)
    if way.late:
        scores = [
            lite.add_scores(net, shallow_features(net, each, each), classes, each, suffix=each) for each in inputs
        ]
        score = net.fuse("score", *scores, coeff=[0.5, 0.5])
    else:
        picture = inputs[0] if single else net.add("data", "Concat", inputs)
        score = lite.add_scores(net, shallow_features(net, picture), classes, picture)
    fcn.pixel_loss(net, score, label, "VALID")
    return net.spec()


def reference(way: Way, classes: int) -> NetSpec:
    """NYUDv2's FCN-32s for `way`."""
    if way.late:
        second = way.pictures[1]
        return vgg.late_fusion("nyud-fcn32s-late", classes, 1.0, None, second=second, channels=CHANNELS[second])
    if len(way.pictures) > 1:
        return models.describe("nyud-fcn32s-color-d", classes=classes)
    return models.describe("nyud-fcn32s-color", classes=classes, channels=CHANNELS[way.pictures[0]])


def start(way: Way, trunk: Weights) -> dict[str, Sequence[Array]]:
    """The weights that a net of `way` starts from, of a `trunk` that was trained on colour.

    A fourth channel starts as the mean of the three; depth alone is taken for a gray picture, whose three channels are
    equal. Raises `TrainingError` if the trunk has no conv1_1.
    """
    if "conv1_1" not in trunk:
        raise TrainingError(
            f"the weights have no layer conv1_1, where depth comes in; their layers: {', '.join(list(trunk)[:4])}, ..."
        )
    weight, *bias = trunk["conv1_1"]
    first = {"color": weight, "hha": weight, "depth": weight.sum(axis=1, keepdims=True)}
    if way.late:
        return {
            f"{name}{each}": [first[each], *bias] if name == "conv1_1" else arrays
            for each in way.pictures
            for name, arrays in trunk.items()
        }
    if len(way.pictures) > 1:
        expanded = [surgery.add_depth(weight), *bias]
        return {**trunk, "conv1_1": expanded, "conv1_1_bgrd": expanded}
    return {**trunk, "conv1_1": [first[way.pictures[0]], *bias]}


def run(settings: Settings, page: Page) -> None:
    """Fill the page with the nets of all ways, by default on generated shapes with made-up depth."""
    train_set = settings.train_set or rgbd_shapes("train", _SIZE, _PICTURES[0])
    test_set = settings.val_set or rgbd_shapes("test", _SIZE, _PICTURES[1])
    compared = ways(train_set.pictures)
    classes = len(train_set.classes)
    trunk = shipped_trunk() if settings.init is None else read_weights(settings.init)
    plan = budget(settings, iterations=_ITERATIONS, rate=_RATE, seeds=_SEEDS, batch_size=8, falling=True)
    rows, means, by_class = [], {}, {}
    columns = [
        [image if image.ndim == 3 else depth_picture(image) for image in images]
        for images in zip(*(sample.images.values() for sample in shown(test_set)), strict=True)
    ]
    for way in compared:
        learned, tested = view(train_set, way), view(test_set, way)
        found = []
        for seed in plan.seeds:
            if settings.init is None:
                layers = [f"{COARSEST}{each}" for each in way.pictures] if way.late else [COARSEST]
                biases = dict.fromkeys(layers, log_shares(train_set))
                net = begin(small(way, classes), learned, start(way, trunk), seed, biases)
            else:
                net = begin(reference(way, classes), learned, start(way, trunk), seed, origin=settings.init)
            plan.train(net, learned, seed)
            found.append(evaluate(net, tested))
            rows.append((way.name, seed, *percentages(found[-1])))
        columns += predictions(net, tested).values()
        by_class[way.name] = 100 * np.mean([each.iu for each in found], axis=0)
        values = [100 * each.mean_iu for each in found]
        means[way.name] = float(np.mean(values))
        page.compare(f"mean IU, {way.name}", way.paper, spread(values))
    page.text(setting(settings, SHALLOW, plan, train_set, test_set))
    if settings.train_set is None:
        page.text(_DATA)
    page.table(("net", "seed", *METRICS), rows)
    page.heading("What it shows")
    page.text(_findings(means))
    pictures = (f"picture of {'colour' if each == 'color' else each}" for each in train_set.pictures)
    order = "; ".join((*pictures, *(way.name for way in compared), "truth"))
    page.picture("predictions", sheet([*columns, truths(test_set)]), f"From the left: {order}. Near is bright.")
    page.legend(class_colors(test_set.classes, test_set.colors))
    page.heading("IU by class")
    page.table(
        ("class", *by_class),
        [
            (name, *(f"{each[number]:.1f}" for each in by_class.values()))
            for number, name in enumerate(test_set.classes)
        ],
    )


_DATA = (
    "The depth is generated. Each shape is flat on a sloping ground, or is a plate above it. A flat and a raised disc "
    "are two classes that look the same, and so are a flat and a raised star: only depth tells them apart. Only colour "
    "shows the flat shapes, which have the depth of the ground. The sensor is noisy and has holes, as that of NYUDv2."
)


def _findings(means: dict[str, float]) -> str:
    """What fusion gains on colour alone, from the mean IU of each way in percent."""
    color = means["colour alone"]
    late = max(value for name, value in means.items() if name.startswith("late"))
    words = f"Compared with colour alone, late fusion gains {late - color:+.1f} points (the paper, with HHA: +3.6)"
    early = means.get("early fusion")
    if early is None:
        return f"{words}."
    words += f", early fusion {early - color:+.1f} (the paper: +1.3). "
    if late > early:
        words += "Late fusion is above early fusion, as in the paper. "
    else:
        words += "Late fusion is not above early fusion, unlike in the paper. "
    return (
        f"{words}Early fusion gets the logarithm of the depth as in the FCN reference, far smaller than the bytes of "
        "the colours. With depth scaled to their size it gains "
        f"{means['early fusion, depth scaled'] - color:+.1f}. The trunk of early fusion was trained on colour alone. "
        "Late fusion gives depth its own trunk, and so has twice the parameters."
    )
