"""NYUDv2: indoor scenes from a depth camera, 40 classes (Silberman et al., 2012; Gupta et al., CVPR 2013).

The form that the FCN reference publishes: colour, filled-in depth (millimetres, 16 bits) and HHA, which encodes depth
in three channels: horizontal disparity, height above ground and angle with gravity (Gupta et al., ECCV 2014).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from fcnlite.data.file_dataset import FileDataset, SampleFiles
from fcnlite.data.matlab import label_map, read_mat
from fcnlite.data.number_table import NumberTable
from fcnlite.data.palette import voc_colors
from fcnlite.data.published import find_folder, read_split
from fcnlite.data.sample import VOID
from fcnlite.description.model_info import Labels
from fcnlite.description.reference_feeding import NYUD as FED
from fcnlite.errors import DataError, nearest

CLASSES = (
    "wall", "floor", "cabinet", "bed", "chair", "sofa", "table", "door", "window", "bookshelf",
    "picture", "counter", "blinds", "desk", "shelves", "curtain", "dresser", "pillow", "mirror", "floor mat",
    "clothes", "ceiling", "books", "refridgerator", "television", "paper", "towel", "shower curtain", "box",
    "whiteboard", "person", "night stand", "toilet", "sink", "lamp", "bathtub", "bag",
    "otherstructure", "otherfurniture", "otherprop",
)  # fmt: skip

FOLDERS = {"color": "images", "hha": "hha", "depth": "depth"}
"""The folder of each type of picture."""


class NYUD(FileDataset):
    """NYUDv2 below `root`. `inputs` lists the pictures to read (color, hha, depth); a single one is fed to `data`."""

    splits = ("train", "val", "trainval", "test")
    usual = ("trainval", "test")
    published = (
        "NYUDv2 in the FCN reference's form is published at http://dl.caffe.berkeleyvision.org/nyud.tar.gz; the root "
        "must hold data/images/, data/hha/ or data/depth/ (img_N.png), segmentation/ (img_N.mat) and the lists "
        "train.txt, val.txt and test.txt."
    )

    def __init__(self, split: str, root: str | os.PathLike[str], *, inputs: Sequence[str] = ("color",)) -> None:
        chosen = (inputs,) if isinstance(inputs, str) else tuple(dict.fromkeys(inputs))
        for each in chosen:
            if each not in FOLDERS:
                raise DataError(f"data set 'nyud': inputs has {each!r}; {nearest(each, FOLDERS)}")
        if not chosen:
            raise DataError(f"data set 'nyud': inputs is empty; expected some of {', '.join(FOLDERS)}.")
        wanted = ("segmentation", *(f"data/{FOLDERS[each]}" for each in chosen))
        folder = find_folder("nyud", root, ("nyud",), wanted, self.published)
        blobs = {"data" if len(chosen) == 1 else each: each for each in chosen}
        files = [_files(folder, name, blobs) for name in read_split(folder, split)]
        values = {0: VOID, **{number: number - 1 for number in range(1, len(CLASSES) + 1)}}
        first, *others = ((blob, FED[each]) for blob, each in blobs.items())
        super().__init__(
            "nyud",
            split,
            {"label": Labels(CLASSES, voc_colors(len(CLASSES) + 1)[1:])},
            files,
            {"label": NumberTable(values, len(CLASSES), _segmentation)},
            replace(first[1], others=dict(others)),
        )


def _files(folder: Path, name: str, blobs: dict[str, str]) -> SampleFiles:
    images = {blob: folder / "data" / FOLDERS[kind] / f"img_{name}.png" for blob, kind in blobs.items()}
    return SampleFiles(name, images, {"label": folder / "segmentation" / f"img_{name}.mat"})


def _segmentation(path: Path) -> np.ndarray:
    """The numbers in a label file: 0 for void, 1 to 40 for the classes."""
    return label_map(path, read_mat(path, "segmentation"), "segmentation")
