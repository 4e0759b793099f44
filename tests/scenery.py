"""The files that the documents' blocks speak of, small: data sets in their layouts, nets of few channels."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

import fcnlite
from fcnlite import caffe, data, models, surgery
from fcnlite.caffe.schema import message_class
from fcnlite.net import Net
from tests.data import layouts
from tests.documents import ROOT

WIDTH = 1 / 16
"""Of the nets, as `documents.SHORTER` trains them."""


def pairs(root: Path, count: int = 10, *, mask: int = 1, suffixes: tuple[str, str] = ("", "")) -> None:
    """Generated pictures and label maps of 0 and `mask`, in images/ and labels/."""
    shapes = data.open("shapes", None, "train", size=48, count=count)
    for folder in (root / "images", root / "labels"):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    for i in range(count):
        sample = shapes[i]
        label = np.where((sample.label > 0) & (sample.label != data.VOID), mask, 0).astype(np.uint8)
        Image.fromarray(sample.image).save(root / "images" / f"{i}{suffixes[0]}.png")
        Image.fromarray(label).save(root / "labels" / f"{i}{suffixes[1]}.png")


def photos(here: Path) -> None:
    pairs(here / "photos")
    for name in ("holiday/beach.jpg", "holiday/hills.jpg", "street.jpg", "photo.jpg"):
        layouts.picture(here / name, size=(64, 80))


def photos_with_suffixes(here: Path) -> None:
    again(here)
    pairs(here / "photos", suffixes=("_im", "_mask"))


def photos_with_masks(here: Path) -> None:
    again(here)
    pairs(here / "photos", mask=128)


def again(here: Path) -> None:
    """Blocks that show another way to do the same write the same run."""
    shutil.rmtree(here / "runs", ignore_errors=True)


def field(here: Path) -> None:
    """Pictures of six bands."""
    pairs(here / "field")
    for path in sorted((here / "field" / "images").iterdir()):
        image = np.asarray(Image.open(path)).astype(np.uint16) * 16
        np.save(path.with_suffix(".npy"), np.concatenate([image, image[:, :, ::-1]], axis=2))
        path.unlink()


def camvid(here: Path) -> None:
    label = layouts.bands(*range(12), size=(60, 80))
    for split in ("train", "val", "test"):
        names = [f"{split}/{i}.png" for i in range(4)]
        for i, name in enumerate(names):
            layouts.picture(here / "camvid" / name, seed=i, size=label.shape)
            layouts.png(here / "camvid" / name.replace(split, f"{split}annot"), label)
        pairs_ = [f"/SegNet/CamVid/{name} /SegNet/CamVid/{name.replace(split, f'{split}annot')}" for name in names]
        layouts.lines(here / "camvid" / f"{split}.txt", pairs_)


def sbd(here: Path) -> None:
    label = layouts.bands(*range(21), 255, size=(40, 44))
    layouts.sbd(here / "SBD" / "dataset", layouts.bands(*range(12)), train=["2008_1", "2008_2"], val=["2008_3"])
    layouts.voc(here / "VOCdevkit" / "VOC2011", label, train=["2008_1"], val=["2008_2", "2008_4"], trainval=["2008_4"])


def nyud(here: Path) -> None:
    label = layouts.bands(*range(1, 41), 0, size=(40, 44))
    depth = np.full(label.shape, 3000, np.uint16)
    layouts.nyud(here / "nyud", label, depth, train=["1"], val=["2"], trainval=["1", "2"], test=["3"])


def weights(here: Path) -> None:
    (here / "weights").symlink_to(ROOT / "weights", target_is_directory=True)


def vgg16(here: Path) -> None:
    """A trained classifier, as far as one can tell: weights of long tails."""
    net = models.build("vgg16", width=WIDTH)
    learned(net)
    arrays = {name: [each.array for each in group] for name, group in net.params.items()}
    caffe.write_weights(here / "VGG_ILSVRC_16_layers.caffemodel", arrays)
    models.build("voc-fcn16s", width=WIDTH).save(here / "fcn16s.h5")


def learned(net: Net) -> None:
    rng = np.random.default_rng(0)
    for layer in net.layers:
        if layer.type in ("Convolution", "InnerProduct"):
            weight = net.params[layer.spec.name][0]
            weight.data = rng.laplace(size=weight.shape) / np.sqrt(np.prod(weight.shape[1:]))
    surgery.interp(net)


def caffes_files(here: Path) -> None:
    """A net as Caffe's tools write it: deploy and train_val.prototxt, weights, a solver and its state, a mean."""
    net = models.build("voc-fcn8s", classes=2, width=WIDTH)
    learned(net)
    caffe.save(net, here / "deploy.prototxt", here / "fcn8s.caffemodel")
    shutil.copy(here / "fcn8s.caffemodel", here / "weights.caffemodel")
    shutil.copy(here / "fcn8s.caffemodel", here / "fcn8s_iter_4000.caffemodel")
    train = models.describe("voc-fcn8s", classes=2, width=WIDTH)
    (here / "train_val.prototxt").write_text(caffe.write_net(train))
    (here / "solver.prototxt").write_text(
        'net: "train_val.prototxt"\nbase_lr: 1e-12\nlr_policy: "fixed"\nmomentum: 0.99\nmax_iter: 100\n'
        'snapshot_prefix: "fcn8s"\n'
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        solver = fcnlite.solver.load(here / "solver.prototxt")
    blobs = [
        {"shape": {"dim": each.shape}, "data": np.zeros(each.shape, np.float32).ravel()}
        for group in solver.net.params.values()
        for each in group
    ]
    state = message_class("SolverState")(
        iter=4000, learned_net="fcn8s_iter_4000.caffemodel", current_step=0, history=blobs
    )
    (here / "fcn8s_iter_4000.solverstate").write_bytes(state.SerializeToString())
    mean = message_class("BlobProto")(
        shape={"dim": (1, 3, 8, 8)}, data=np.repeat([104.0, 117.0, 123.0], 64).astype(np.float32)
    )
    (here / "mean.binaryproto").write_bytes(mean.SerializeToString())


MADE: dict[str, list[tuple[str, Callable[[Path], None]]]] = {
    "README.md": [
        ("--root photos --crop", photos),
        ("--recipe lite", camvid),
        ("--recipe lite", sbd),
        ("--recipe lite", vgg16),
        ("weights/camvid-fcn8s.h5", weights),
        ("deploy.prototxt", caffes_files),
    ],
    "data.md": [
        ("--data sbd", sbd),
        ("--root photos", photos),
        ("image_suffix=_im", photos_with_suffixes),
        ("masks=nonzero", photos_with_masks),
        ("--root field", field),
        ('data.open("nyud"', nyud),
    ],
    "preprocessing.md": [("deploy.prototxt", photos), ("deploy.prototxt", caffes_files)],
}
"""By document: words of a block, and what is made before the first block that has them."""


def prepare(document: str, code: str, here: Path, made: set[int]) -> None:
    """Make what a block speaks of, unless an earlier one did; `made` remembers."""
    for i, (words, make) in enumerate(MADE.get(document, [])):
        if words in code and i not in made:
            made.add(i)
            make(here)
