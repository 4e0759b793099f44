"""Early and late fusion of colour and depth (section 5, NYUDv2; table 4).

Early fusion feeds depth as a fourth channel of the picture. Late fusion runs a net on each and adds half of the scores
of both; the two are trained jointly. The depth maps are made up: the ground is a slope, each shape is a flat plate
in front of it at a random distance, and the sensor is noisy. So depth shows outlines, and no texture.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from fcnlite import data
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.masking import preprocessing_of
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.short_training import Example, add_features, add_scores, measure, parameter_count, train
from fcnlite.arrays import Array
from fcnlite.data import VOID, Dataset
from fcnlite.data.loader import blobs
from fcnlite.data.seeding import generator
from fcnlite.description.spec import NetSpec
from fcnlite.models.builder import Builder

PAPER = {"colour": 29.2, "early": 30.5, "depth": 24.2, "late": 32.8}
"""Mean IU in percent of FCN-32s on NYUDv2 (table 4); of depth and late fusion with the encoding HHA of depth."""
_NAMES = {
    "colour": "colour alone",
    "depth": "depth alone (the paper: HHA)",
    "early": "early fusion",
    "late": "late fusion (the paper: RGB-HHA)",
}
_SIZE = 64
_PICTURES = (400, 100)
"""The number of pictures for training and for the test."""
_ITERATIONS = 400
_UNLIKE = (
    "So depth does not help here, unlike in the paper, although a net could ignore it. The page does not find out "
    "why. A reason may be the short training: the outlines in the depth are learned first, and the textures, which "
    "tell the classes apart best, later. "
)


def depth_map(label: Array, rng: np.random.Generator, noise: float = 0.2) -> Array:
    """A 1×H×W float32 depth for an H×W label map, about −1 to 1: plates in front of a slope.

    Each connected region of a class is a plate. Void pixels belong to the ground.
    """
    height, width = label.shape
    rows, columns = np.mgrid[:height, :width]
    slopes = rng.uniform(-0.3, 0.3, 2)
    depth = 0.6 + slopes[0] * (rows / height - 0.5) + slopes[1] * (columns / width - 0.5)
    for number in np.unique(label[(label != 0) & (label != VOID)]):
        plates, count = ndimage.label(label == number)
        for plate in range(1, count + 1):
            depth[plates == plate] = rng.uniform(-1, 0.2)
    found: Array = (depth + noise * rng.standard_normal(label.shape)).astype(np.float32)[None]
    return found


def fused(kind: str, classes: int, size: int, *, width: int = 12) -> NetSpec:
    """A net for `kind`: colour, depth, early or late. Its inputs are `data`, and `depth` for late fusion."""
    net = Builder(f"{kind}-fusion")
    channels = {"colour": 3, "depth": 1, "early": 4, "late": 3}[kind]
    data_blob = net.input("data", 1, channels, size, size)
    label = net.input("label", 1, 1, size, size)
    if kind == "late":
        depth = net.input("depth", 1, 1, size, size)
        color_scores = add_scores(net, add_features(net, data_blob, width, "_color"), classes, "_color")
        depth_scores = add_scores(net, add_features(net, depth, width, "_depth"), classes, "_depth")
        score = net.fuse("score", color_scores, depth_scores, coeff=[0.5, 0.5])
    else:
        score = add_scores(net, add_features(net, data_blob, width), classes)
    net.loss("loss", score, label, "VALID", ignore_label=VOID)
    return net.spec()


def inputs(example: Example, kind: str) -> Example:
    """The blobs for a net of `fused`, from an example with colour in `data`, `depth` and `label`."""
    color, depth = example["data"], example["depth"]
    label = {"label": example["label"]}
    if kind == "late":
        return {"data": color, "depth": depth, **label}
    return {"data": {"colour": color, "depth": depth, "early": np.concatenate((color, depth))}[kind], **label}


def run(settings: Settings, page: Page) -> None:
    """Fill the page with the four nets on generated shapes with made-up depth."""
    iterations = settings.iterations or _ITERATIONS
    opened = [
        data.open("shapes", split=split, size=_SIZE, count=count, seed=settings.seed)
        for split, count in zip(("train", "test"), _PICTURES, strict=True)
    ]
    training, test = (_examples(each, settings.seed) for each in opened)
    classes = len(opened[0].classes)
    rows, scores = [], {}
    for kind, paper in PAPER.items():
        net, _ = train(
            fused(kind, classes, _SIZE), [inputs(each, kind) for each in training], iterations, seed=settings.seed
        )
        metrics = measure(net, [inputs(each, kind) for each in test], classes)
        scores[kind] = 100 * metrics.mean_iu
        page.compare(f"mean IU, {_NAMES[kind]}", paper, f"{scores[kind]:.1f}")
        percent = (f"{100 * each:.1f}" for each in (metrics.pixel_accuracy, metrics.mean_accuracy, metrics.mean_iu))
        rows.append((kind, *percent, parameter_count(net)))
    best = max(scores, key=lambda kind: scores[kind])
    same = "as in the paper" if best == "late" else "in the paper it is late fusion"
    page.text(
        f"Data: {len(training)} generated pictures for training and {len(test)} for the test, with made-up depth; "
        f"small nets, {iterations} iterations from scratch, each trained once. The best here: {best} ({same}). "
        + ("" if max(scores["early"], scores["late"]) > scores["colour"] else _UNLIKE)
        + "The paper's nets start "
        "from weights that were trained on colour, which a fourth channel cannot use well; here all start from random "
        "weights, so early fusion has no such disadvantage. The paper's late fusion also has the better encoding of "
        "depth, HHA."
    )
    page.table(("net", "pixel accuracy", "mean accuracy", "mean IU", "parameters"), rows)
    page.picture("colour", opened[1][0].image, "The colour of the first test picture.")
    depth = np.clip((test[0]["depth"][0] + 1.5) / 3 * 255, 0, 255).astype(np.uint8)
    page.picture("depth", np.repeat(depth[:, :, None], 3, axis=2), "Its depth: dark is near.")


def _examples(dataset: Dataset, seed: int) -> list[Example]:
    preprocessing = preprocessing_of(dataset)
    found = []
    for index in range(len(dataset)):
        sample = dataset[index]
        depth = depth_map(sample.label, generator(f"depth {dataset.split}", seed, index))
        found.append({**blobs(sample, preprocessing), "depth": depth})
    return found
