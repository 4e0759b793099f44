"""PASCAL VOC's segmentation sets of 2007 to 2012: 20 classes of things, and background (Everingham et al., 2010).

Labels are palette PNGs; a void border of 255 runs around every thing.
"""

from __future__ import annotations

import os
from pathlib import Path

from fcnlite.data.file_dataset import FileDataset, SampleFiles, picture_and_label
from fcnlite.data.number_table import NumberTable, identity_values
from fcnlite.data.palette import voc_colors
from fcnlite.data.published import find_folder, read_split
from fcnlite.description.model_info import Labels
from fcnlite.errors import DataError

CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus",
    "car", "cat", "chair", "cow", "diningtable", "dog", "horse",
    "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
LABELS = Labels(CLASSES, voc_colors(len(CLASSES)))
YEARS = range(2007, 2013)

_HOLDS = ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation")


class VOC(FileDataset):
    """The set of one year below `root`, which may be VOC2012/, VOCdevkit/ or the folder around that.

    `year` chooses, where there are several years.
    """

    splits = ("train", "val", "trainval", "test")
    published = (
        "PASCAL VOC is published at http://host.robots.ox.ac.uk/pascal/VOC/voc2012/ (2007 to 2012); the root must be "
        "VOCdevkit/ or one of its VOC20xx/, which hold JPEGImages/, SegmentationClass/ and ImageSets/Segmentation/."
    )

    def __init__(self, split: str, root: str | os.PathLike[str], *, year: int | None = None) -> None:
        folder = find_voc(root, year)
        names = read_split(folder / "ImageSets" / "Segmentation", split)
        read = {"label": NumberTable(identity_values(len(CLASSES)), len(CLASSES))}
        super().__init__("voc", split, {"label": LABELS}, [voc_files(folder, name) for name in names], read)


def find_voc(root: str | os.PathLike[str], year: int | None = None, *, holds: tuple[str, ...] = _HOLDS) -> Path:
    """The folder of one year's set. Raises `DataError` where there is none, or several to choose from."""
    if year is not None and year not in YEARS:
        raise DataError(f"data set 'voc': year is {year}; expected {YEARS[0]} to {YEARS[-1]}.")
    start = Path(root)
    above = [start, start / "VOCdevkit"]
    if year is None:
        found = [each / f"VOC{one}" for each in above for one in YEARS if (each / f"VOC{one}").is_dir()]
        if len(found) > 1 and not (start / holds[0]).is_dir():
            years = ", ".join(each.name.removeprefix("VOC") for each in found)
            raise DataError(f"data set 'voc': {start} holds several years ({years}); choose one with year=....")
        inside = [str(each.relative_to(start)) for each in found]
    else:
        inside = [f"VOC{year}", f"VOCdevkit/VOC{year}"]
    return find_folder("voc", root, inside, holds, VOC.published)


def voc_files(folder: Path, name: str) -> SampleFiles:
    return picture_and_label(name, folder / "JPEGImages" / f"{name}.jpg", folder / "SegmentationClass" / f"{name}.png")


def default_classes(count: int) -> tuple[str, ...]:
    """Names for classes that have none: VOC's names for 21 classes, otherwise numbers."""
    return CLASSES if count == len(CLASSES) else tuple(f"class {number}" for number in range(count))
