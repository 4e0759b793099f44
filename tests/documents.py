"""Small versions of everything that the documentation names: folders of data sets, nets and weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

import fcnlite
from fcnlite import caffe, models
from fcnlite.net import Net
from tests.data import drawn, layouts

SIZE = (24, 32)
WIDTH = 0.02
"""The width of the zoo's nets; wide ones would need gigabytes."""
CLASSIFIER = "VGG_ILSVRC_16_layers.caffemodel"


def photos(root: Path, block: str) -> None:
    """A custom folder as in `block`: names with suffixes, numbers of objects, or classes."""
    shutil.rmtree(root, ignore_errors=True)
    image, label = ("_im", "_mask") if "label_suffix" in block else ("", "")
    numbers = (0, 1, 2, 3) if "masks=" in block else (0, 0, 1)
    for seed in range(6):
        layouts.picture(root / "images" / f"p{seed}{image}.png", seed, SIZE)
        found = layouts.bands(*numbers[: 2 + seed % len(numbers)], size=SIZE)
        layouts.png(root / "labels" / f"p{seed}{label}.png", found)


def material(folder: Path) -> None:
    """Everything that a page may name, in `folder`."""
    photos(folder / "photos", "")
    drawn.labelme(folder / "slices", *(f"slice{number}" for number in range(8)))
    for i, name in enumerate(("street.jpg", "photo.jpg", "holiday/beach.jpg", "holiday/hill.jpg")):
        layouts.picture(folder / name, i, SIZE)
    label = layouts.bands(0, 1, 2, size=SIZE)
    layouts.voc(folder / "VOCdevkit" / "VOC2011", label, train=["a"], val=["b"])
    layouts.sbd(folder / "SBD", layouts.bands(0, 1, 2), train=["a"], val=["c"])
    depth = layouts.bands(1000, 2000, size=SIZE, dtype=np.uint16)
    layouts.nyud(folder / "nyud", layouts.bands(1, 2, size=SIZE), depth, trainval=["1", "2"], test=["3", "4"])
    for split, names in {"train": ("0001TP_1", "0006R0_1", "0016E5_1"), "val": ("v",), "test": ("t",)}.items():
        for name in names:
            layouts.picture(folder / "camvid" / split / f"{name}.png", 0, SIZE)
            layouts.png(folder / "camvid" / f"{split}annot" / f"{name}.png", layouts.bands(0, 1, 11, size=SIZE))
        listed = [f"/x/{split}/{name}.png /x/{split}annot/{name}.png" for name in names]
        layouts.lines(folder / "camvid" / f"{split}.txt", listed)
    for seed in range(5):
        values = np.random.default_rng(seed).integers(0, 4096, (*SIZE, 6)).astype(np.uint16)
        (folder / "field" / "images").mkdir(parents=True, exist_ok=True)
        np.save(folder / "field" / "images" / f"{seed}.npy", values)
        layouts.png(folder / "field" / "labels" / f"{seed}.png", layouts.bands(0, 0, 1, size=SIZE))
    nets(folder)


def nets(folder: Path) -> None:
    """Caffe's files of a small FCN with its solver, VGG-16 and an FCN-16s, all narrow, and a mean."""
    caffe.write_weights(folder / CLASSIFIER, arrays(models.build("vgg16", width=WIDTH)))
    models.build("voc-fcn16s", width=WIDTH).save(folder / "fcn16s.h5")
    net = models.build("lite-fcn8s", classes=2, width=WIDTH, phase="TRAIN")
    caffe.save(net, folder / "train.prototxt", folder / "weights.caffemodel")
    (folder / "solver.prototxt").write_text('net: "train.prototxt" base_lr: 0.01 lr_policy: "fixed" momentum: 0.9')
    shutil.copy(folder / "train.prototxt", folder / "net.prototxt")
    shutil.copy(folder / "train.prototxt", folder / "deploy.prototxt")
    shutil.copy(folder / "weights.caffemodel", folder / "fcn8s.caffemodel")
    fcnlite.solver.load(folder / "solver.prototxt").snapshot(folder / "fcn8s_iter_4000.solverstate")
    write_mean(folder / "mean.binaryproto")
    (folder / "weights").mkdir()
    root = Path(fcnlite.__file__).parents[1]
    for name in ("camvid-fcn8s.h5", "shapes-fcn8s.h5"):
        shutil.copy(root / "weights" / name, folder / "weights")
    (folder / "examples").mkdir(exist_ok=True)
    for picture in ("shapes.png", "street.png", "street_truth.png"):
        shutil.copy(root / "examples" / picture, folder / "examples")


PUBLISHED = {
    "bvlc_alexnet": "alexnet",
    "bvlc_reference_caffenet": "caffenet",
    "bvlc_googlenet": "googlenet",
    "fcn32s-heavy-pascal": "voc-fcn32s",
    "fcn16s-heavy-pascal": "voc-fcn16s",
    "fcn8s-heavy-pascal": "voc-fcn8s",
    "fcn8s-atonce-pascal": "voc-fcn8s-atonce",
    "fcn-alexnet-pascal": "voc-fcn-alexnet",
    "pascalcontext-fcn8s-heavy": "pascalcontext-fcn8s",
    "siftflow-fcn8s-heavy": "siftflow-fcn8s",
    "nyud-fcn32s-color-heavy": "nyud-fcn32s-color",
    "nyud-fcn32s-hha-heavy": "nyud-fcn32s-hha",
    "nyud-fcn32s-color-hha-heavy": "nyud-fcn32s-color-hha",
}
"""The published caffemodels and their nets."""


def published(folder: Path, text: str) -> None:
    """Narrow copies of the published caffemodels that a text names."""
    for file, model in PUBLISHED.items():
        if f"{file}.caffemodel" in text:
            caffe.write_weights(folder / f"{file}.caffemodel", arrays(models.build(model, width=WIDTH)))


def write_mean(path: Path) -> None:
    from tests.formats.caffe.test_preprocessing import binaryproto

    binaryproto(path, np.full((3, *SIZE), 100.0))


def arrays(net: Net) -> dict[str, list[np.ndarray]]:
    return {name: [each.array for each in parameters] for name, parameters in net.params.items()}
