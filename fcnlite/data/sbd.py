"""The Semantic Boundaries Dataset: VOC 2011's pictures with 21 classes (Hariharan et al., ICCV 2011).

The FCN paper trains on its train split (8,498 pictures) and measures on `seg11valid`: what VOC 2011's segmentation val
has and SBD's train has not.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from fcnlite.data.file_dataset import FileDataset, SampleFiles, picture_and_label
from fcnlite.data.matlab import label_map, read_mat
from fcnlite.data.number_table import NumberTable, identity_values
from fcnlite.data.published import find_folder, read_list, read_split
from fcnlite.data.voc import CLASSES, LABELS, VOC, find_voc, voc_files
from fcnlite.errors import DataError


class SBD(FileDataset):
    """Pictures and .mat labels below `root`; for the split seg11valid the folder `voc` holds PASCAL VOC 2011."""

    splits = ("train", "val", "trainval", "seg11valid")
    published = (
        "SBD is published at http://home.bharathh.info/pubs/codes/SBD/download.html; the root must be its folder "
        "benchmark_RELEASE/ or dataset/ therein, which holds img/, cls/, train.txt and val.txt."
    )

    def __init__(self, split: str, root: str | os.PathLike[str], *, voc: str | os.PathLike[str] | None = None) -> None:
        inside = ("dataset", "benchmark_RELEASE/dataset")
        folder = find_folder("sbd", root, inside, ("img", "cls", "train.txt"), self.published)
        values = identity_values(len(CLASSES))
        if split == "seg11valid":
            files = _seg11valid(folder, voc)
            read = NumberTable(values, len(CLASSES))
        else:
            names = read_split(folder, split)
            pictures, labels = folder / "img", folder / "cls"
            files = [picture_and_label(name, pictures / f"{name}.jpg", labels / f"{name}.mat") for name in names]
            read = NumberTable(values, len(CLASSES), _segmentation)
        super().__init__("sbd", split, {"label": LABELS}, files, {"label": read})


def _seg11valid(sbd: Path, voc_root: str | os.PathLike[str] | None) -> list[SampleFiles]:
    if voc_root is None:
        raise DataError(
            "data set 'sbd': the split 'seg11valid' is made of PASCAL VOC 2011's val; say where that lies, with "
            f"--data-option voc=DIR. {VOC.published}"
        )
    year = None if (Path(voc_root) / "JPEGImages").is_dir() else 2011
    folder = find_voc(voc_root, year)
    trained = set(read_list(sbd / "train.txt"))
    names = [name for name in read_split(folder / "ImageSets" / "Segmentation", "val") if name not in trained]
    if not names:
        raise DataError(f"data set 'sbd': all of {folder}'s val is in {sbd / 'train.txt'}; is that VOC 2011?")
    return [voc_files(folder, name) for name in names]


def _segmentation(path: Path) -> np.ndarray:
    """GTcls.Segmentation: 0 for background, 1 to 20 for VOC's classes."""
    found = read_mat(path, "GTcls")
    names = getattr(found, "dtype", np.dtype(int)).names or ()
    if "Segmentation" not in names or found.size != 1:
        raise DataError(f"{path}: GTcls has no field Segmentation; expected a label file of SBD's cls/.")
    return label_map(path, found["Segmentation"].flat[0], "GTcls.Segmentation")
