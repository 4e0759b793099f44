"""Recognises the data set in a folder by the files in it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from fcnlite.data.coco import find_files
from fcnlite.data.pairing import files_below
from fcnlite.data.pictures import SUFFIXES
from fcnlite.errors import DataError, FcnliteError
from fcnlite.files import reading

_BEGINNING = 1 << 16
"""The bytes of a JSON file that are searched for its kind."""
_LABELME = (b'"shapes"', b'"imagePath"')
_COCO = (b'"annotations"', b'"categories"', b'"licenses"', b'"images"')
_PUBLISHED: dict[str, tuple[tuple[str, ...], ...]] = {
    "cvat": (("labelmap.txt", "SegmentationClass"),),
    "voc": (
        ("VOCdevkit",),
        ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"),
        *((f"VOC{year}",) for year in range(2007, 2013)),
    ),
    "sbd": (("img", "cls", "train.txt"), ("dataset/img", "dataset/cls"), ("benchmark_RELEASE/dataset/cls",)),
    "camvid": (("train.txt", "train", "trainannot"), ("CamVid/train", "CamVid/trainannot")),
    "cityscapes": (("leftImg8bit", "gtFine"),),
    "nyud": (("data/images", "segmentation"),),
    "siftflow": (("Images", "SemanticLabels"),),
    "pascal-context": (("trainval", "VOC2010"),),
    "isbi": (("train-volume.tif", "train-labels.tif"), ("train/image", "train/label")),
    "folder": (("images", "labels"),),
}
"""For each data set, what must be in the root: one of these lists of paths. The first data set that fits is taken."""


class Recognised(NamedTuple):
    """The name of a data set, and the options without which it does not find its files."""

    name: str
    options: tuple[str, ...] = ()


def recognise(root: Path) -> Recognised:
    """The data set in the folder `root`. Raises `DataError`, which says what the folder holds, if it is none."""
    if not root.is_dir():
        raise DataError(f"{root}: is not a folder; give the folder of a data set.")
    for name, lists in _PUBLISHED.items():
        if any(all((root / path).exists() for path in paths) for paths in lists):
            return Recognised(name)
    kinds = Counter(_kind(path) for path in files_below(root, (".json",)))
    if kinds["labelme"]:
        return Recognised("labelme")
    if kinds["coco"]:
        find_files(root, "")  # its error says which file to choose
        return Recognised("coco")
    pair = _pair(root)
    if pair is not None:
        return Recognised("folder", pair)
    raise DataError(f"{root}: is not a data set that fcnlite knows. {_content(root)}")


def _kind(path: Path) -> str:
    """`labelme`, `coco` or an empty string for a JSON file."""
    try:
        with reading(path) as stream:
            start = stream.read(_BEGINNING)
    except FcnliteError:
        return ""
    if any(word in start for word in _LABELME):
        return "labelme"
    return "coco" if any(word in start for word in _COCO) else ""


_IMAGES = ("images", "imgs", "img", "image", "photos", "pictures", "jpegimages")
_LABELS = ("labels", "masks", "mask", "label", "annotations", "segmentationclass", "gt", "ground_truth", "annots")


def _pair(root: Path) -> tuple[str, ...] | None:
    """The options for two folders with usual names; None if there are none."""
    folders = {each.name.lower(): each.name for each in root.iterdir() if each.is_dir()}
    images = next((folders[each] for each in _IMAGES if each in folders), None)
    labels = next((folders[each] for each in _LABELS if each in folders), None)
    return (f"images={images}", f"labels={labels}") if images and labels else None


def _content(root: Path) -> str:
    """What a folder holds, and what to do."""
    pictures = files_below(root, SUFFIXES)
    suffixes = Counter(path.suffix.lower() for path in pictures)
    counts = ", ".join(f"{count} *{suffix}" for suffix, count in suffixes.most_common(4)) or "no pictures"
    folders = ", ".join(sorted(each.name for each in root.iterdir() if each.is_dir())[:8]) or "none"
    return (
        f"It holds {counts}; folders: {folders}. Pictures without labels can be segmented (python -m fcnlite.predict). "
        "If there are labels in folders or with names of other kinds, give --data folder and its options images, "
        "labels, image_suffix and label_suffix with --data-option."
    )
