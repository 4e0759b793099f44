"""Cityscapes: street scenes of 50 cities, 2048×1024, 19 classes for training and evaluation (Cordts et al., 2016)."""

from __future__ import annotations

import os

from fcnlite.data.file_dataset import FileDataset, picture_and_label
from fcnlite.data.number_table import NumberTable
from fcnlite.data.published import find_folder
from fcnlite.data.sample import VOID
from fcnlite.description.model_info import Labels
from fcnlite.errors import DataError
from fcnlite.files import cannot_read

CLASSES = {
    # In the order of trainId, 0 to 18: the number in the labelIds files, and the colour.
    "road": (7, (128, 64, 128)),
    "sidewalk": (8, (244, 35, 232)),
    "building": (11, (70, 70, 70)),
    "wall": (12, (102, 102, 156)),
    "fence": (13, (190, 153, 153)),
    "pole": (17, (153, 153, 153)),
    "traffic light": (19, (250, 170, 30)),
    "traffic sign": (20, (220, 220, 0)),
    "vegetation": (21, (107, 142, 35)),
    "terrain": (22, (152, 251, 152)),
    "sky": (23, (70, 130, 180)),
    "person": (24, (220, 20, 60)),
    "rider": (25, (255, 0, 0)),
    "car": (26, (0, 0, 142)),
    "truck": (27, (0, 0, 70)),
    "bus": (28, (0, 60, 100)),
    "train": (31, (0, 80, 100)),
    "motorcycle": (32, (0, 0, 230)),
    "bicycle": (33, (119, 11, 32)),
}
IDS = range(34)
"""All numbers of labelIds files; those without a class above are void."""

_PICTURE, _LABEL = "_leftImg8bit.png", "_gtFine_labelIds.png"


class Cityscapes(FileDataset):
    """The finely labelled pictures below `root`."""

    splits = ("train", "val")
    published = (
        "Cityscapes is published at https://www.cityscapes-dataset.com (leftImg8bit_trainvaltest.zip and "
        "gtFine_trainvaltest.zip); the root must hold leftImg8bit/SPLIT/CITY/*_leftImg8bit.png and "
        "gtFine/SPLIT/CITY/*_gtFine_labelIds.png. The test split's labels are not public."
    )

    def __init__(self, split: str, root: str | os.PathLike[str]) -> None:
        holds = (f"leftImg8bit/{split}", f"gtFine/{split}")
        folder = find_folder("cityscapes", root, ("cityscapes",), holds, self.published)
        pictures, labels = (folder / each for each in holds)
        files = []
        try:
            for path in sorted(pictures.glob(f"*/*{_PICTURE}")):
                name = path.name.removesuffix(_PICTURE)
                files.append(picture_and_label(name, path, labels / path.parent.name / f"{name}{_LABEL}"))
        except OSError as error:
            raise cannot_read(pictures, error) from error
        if not files:
            raise DataError(f"data set 'cityscapes': {pictures} holds no CITY/*{_PICTURE}. {self.published}")
        values = {**dict.fromkeys(IDS, VOID), VOID: VOID}
        values.update({number: train_id for train_id, (number, _) in enumerate(CLASSES.values())})
        colors = tuple(color for _, color in CLASSES.values())
        super().__init__(
            "cityscapes",
            split,
            {"label": Labels(tuple(CLASSES), colors)},
            files,
            {"label": NumberTable(values, len(CLASSES))},
        )
