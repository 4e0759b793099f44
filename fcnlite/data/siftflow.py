"""SIFT Flow: outdoor scenes with two label maps, 33 semantic classes and 3 of geometry (Liu et al., 2009; Tighe and
Lazebnik, 2010).

Three classes (cow, desert, moon) do not occur in the test split. Two pictures have no labels; no list contains them.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from fcnlite.data.file_dataset import FileDataset, SampleFiles
from fcnlite.data.matlab import label_map, read_mat
from fcnlite.data.number_table import NumberTable
from fcnlite.data.palette import voc_colors
from fcnlite.data.published import find_folder, read_split
from fcnlite.data.sample import VOID
from fcnlite.description.model_info import Labels
from fcnlite.description.reference_feeding import SIFTFLOW

SEMANTIC = (
    "awning", "balcony", "bird", "boat", "bridge", "building", "bus", "car", "cow", "crosswalk", "desert",
    "door", "fence", "field", "grass", "moon", "mountain", "person", "plant", "pole", "river", "road",
    "rock", "sand", "sea", "sidewalk", "sign", "sky", "staircase", "streetlight", "sun", "tree", "window",
)  # fmt: skip
GEOMETRIC = ("sky", "horizontal", "vertical")

_SCENES = "spatial_envelope_256x256_static_8outdoorcategories"


class SIFTFlow(FileDataset):
    """SIFT Flow below `root`, with the label maps `sem` (semantic) and `geo` (geometric)."""

    splits = ("trainval", "test")
    usual = ("trainval", "test")
    published = (
        "SIFT Flow is published at http://www.cs.unc.edu/~jtighe/Papers/ECCV10/siftflow/SiftFlowDataset.zip; the root "
        f"must hold Images/, SemanticLabels/ and GeoLabels/, each with {_SCENES}/, and the FCN reference's lists "
        "trainval.txt and test.txt (data/sift-flow/ of https://github.com/shelhamer/fcn.berkeleyvision.org)."
    )

    def __init__(self, split: str, root: str | os.PathLike[str]) -> None:
        kinds = ("Images", "SemanticLabels", "GeoLabels")
        inside = ("SiftFlowDataset", "sift-flow")
        folder = find_folder("siftflow", root, inside, (*(f"{kind}/{_SCENES}" for kind in kinds),), self.published)
        images, semantic, geometric = (folder / kind / _SCENES for kind in kinds)
        files = [
            SampleFiles(
                name,
                {"data": images / f"{name}.jpg"},
                {"sem": semantic / f"{name}.mat", "geo": geometric / f"{name}.mat"},
            )
            for name in read_split(folder, split)
        ]
        super().__init__(
            "siftflow",
            split,
            {
                "sem": Labels(SEMANTIC, voc_colors(len(SEMANTIC) + 1)[1:]),
                "geo": Labels(GEOMETRIC, ((70, 130, 180), (107, 142, 35), (190, 153, 153))),
            },
            files,
            {"sem": _reader(SEMANTIC, {0: VOID}), "geo": _reader(GEOMETRIC, {-1: VOID, 0: VOID})},
            SIFTFLOW,
        )


def _reader(classes: tuple[str, ...], void: dict[int, int]) -> NumberTable:
    """The reader of labels that number `classes` from 1."""
    return NumberTable({**void, **{number: number - 1 for number in range(1, len(classes) + 1)}}, len(classes), _labels)


def _labels(path: Path) -> np.ndarray:
    """The numbers in the variable S: classes from 1 on; void is 0, or -1 in geometric labels."""
    return label_map(path, read_mat(path, "S"), "S")
