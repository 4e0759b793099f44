"""PASCAL-Context: VOC 2010's pictures labelled all over; the 59 most frequent of 459 classes (Mottaghi et al., 2014).

Whatever is none of the 59 is background, the 60th class, which is learned like the others.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from fcnlite.data.file_dataset import FileDataset, picture_and_label
from fcnlite.data.matlab import label_map, read_mat
from fcnlite.data.number_table import NumberTable
from fcnlite.data.palette import voc_colors
from fcnlite.data.published import find_folder, read_split
from fcnlite.description.model_info import Labels

ORIGINALS = 459
"""Classes of the label files, numbered from 1."""
NUMBERS = {
    # The 59 classes in the order of the reference's outputs 1 to 59, and their numbers in the label files, where
    # diningtable is called table, clothes cloth and bedcloth bedclothes.
    "aeroplane": 2, "bicycle": 23, "bird": 25, "boat": 31, "bottle": 34, "bus": 45, "car": 59, "cat": 65,
    "chair": 72, "cow": 98, "diningtable": 397, "dog": 113, "horse": 207, "motorbike": 258, "person": 284,
    "pottedplant": 308, "sheep": 347, "sofa": 368, "train": 416, "tvmonitor": 427, "bag": 9, "bed": 18,
    "bench": 22, "book": 33, "building": 44, "cabinet": 46, "ceiling": 68, "clothes": 80, "computer": 85,
    "cup": 104, "door": 115, "fence": 144, "floor": 158, "flower": 159, "food": 162, "grass": 187,
    "ground": 189, "keyboard": 220, "light": 232, "mountain": 259, "mouse": 260, "curtain": 105,
    "platform": 296, "sign": 355, "plate": 295, "road": 324, "rock": 326, "shelves": 349, "sidewalk": 354,
    "sky": 360, "snow": 366, "bedcloth": 19, "track": 415, "tree": 420, "truck": 424, "wall": 440,
    "water": 445, "window": 454, "wood": 458,
}  # fmt: skip
CLASSES = ("background", *NUMBERS)


class PascalContext(FileDataset):
    """The label files below `root`; the folder `voc` holds PASCAL VOC 2010 (default: `root` itself)."""

    splits = ("train", "val", "trainval")
    published = (
        "PASCAL-Context is published at https://cs.stanford.edu/~roozbeh/pascal-context/; the root must hold "
        "trainval/ with its .mat files, and PASCAL VOC 2010 (VOC2010/JPEGImages/ and VOC2010/ImageSets/Main/), unless "
        "voc=DIR says where that lies."
    )

    def __init__(self, split: str, root: str | os.PathLike[str], *, voc: str | os.PathLike[str] | None = None) -> None:
        folder = find_folder("pascal-context", root, (), ("trainval",), self.published)
        pictures = _find_voc(folder if voc is None else Path(voc))
        names = read_split(pictures / "ImageSets" / "Main", split)
        files = [
            picture_and_label(name, pictures / "JPEGImages" / f"{name}.jpg", folder / "trainval" / f"{name}.mat")
            for name in names
        ]
        values = dict.fromkeys(range(ORIGINALS + 1), 0)
        values.update({number: output for output, number in enumerate(NUMBERS.values(), start=1)})
        super().__init__(
            "pascal-context",
            split,
            {"label": Labels(CLASSES, voc_colors(len(CLASSES)))},
            files,
            {"label": NumberTable(values, len(CLASSES), _label_map)},
        )


def _find_voc(root: Path) -> Path:
    holds = ("JPEGImages", "ImageSets/Main")
    inside = ("VOC2010", "VOCdevkit/VOC2010", "../VOC2010")
    return find_folder("pascal-context", root, inside, holds, PascalContext.published)


def _label_map(path: Path) -> np.ndarray:
    return label_map(path, read_mat(path, "LabelMap"), "LabelMap")
