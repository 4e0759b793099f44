"""Pictures labelled with CVAT and exported as "Segmentation mask 1.1": colour PNGs and a table of the colours."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import cast

from fcnlite.data import splits
from fcnlite.data.color_table import ColorTable
from fcnlite.data.number_table import LabelReader
from fcnlite.data.orientation import choose_orientation
from fcnlite.data.own_pictures import OwnPictures
from fcnlite.data.pairing import Naming, find_pairs
from fcnlite.data.problems import raise_if_any
from fcnlite.data.published import find_folder, read_list
from fcnlite.errors import DataError, quoted
from fcnlite.files import is_file

_TABLE = "labelmap.txt"
_LISTS = Path("ImageSets") / "Segmentation"


class CVAT(OwnPictures):
    """A mask export of CVAT in `root`: labelmap.txt, SegmentationClass/, JPEGImages/, lists in ImageSets/Segmentation/.

    CVAT has resolved overlaps by its order of layers. A colour that labelmap.txt lacks is an error.
    `images`: the folder of the pictures, relative to `root`, if they were not exported. Default: JPEGImages.
    `rest`: the meaning of CVAT's label `background`: `background`, class 0 as in the table, or `void`.
    `val`, `exif`, `bands`, `white`, `skip_bad`: as in `Folder`. Lists train.txt and val.txt of the export are used.
    """

    published = (
        'It is the export "Segmentation mask 1.1" of CVAT, which holds labelmap.txt, SegmentationClass/, and the '
        "pictures in JPEGImages/ (Save images) or a folder that images=DIR names."
    )

    def __init__(
        self,
        split: str,
        root: str | os.PathLike[str],
        *,
        images: str | os.PathLike[str] = "JPEGImages",
        rest: str = "background",
        val: float | None = None,
        exif: str | None = None,
        white: int | None = None,
        bands: Sequence[int] = (),
        skip_bad: bool = False,
    ) -> None:
        if rest not in ("background", "void"):
            raise DataError(f"data set 'cvat': rest is {rest!r}; expected background or void.")
        folder = find_folder("cvat", root, (), (_TABLE, "SegmentationClass", str(images)), self.published)
        files, skipped = find_pairs(folder / images, folder / "SegmentationClass", Naming())
        listed = {name for path in sorted((folder / _LISTS).glob("*.txt")) for name in read_list(path)}
        names = {each.name for each in files}
        skipped += [
            f"{folder / _LISTS}: lists {quoted(name)}, but there is no such pair."
            for name in sorted(listed - names)
            if not is_file(folder / "SegmentationClass" / f"{name}.png")
        ]
        if not skip_bad or not files:
            raise_if_any("data set 'cvat'", skipped)
        doubts: list[str] = []
        ours = folder / _LISTS if any((folder / _LISTS / f"{each}.txt").is_file() for each in splits.SPLITS) else folder
        divided = splits.divide(names, ours, val, split, doubts.append)
        of_split = splits.divide_files(files, divided, doubts.append)
        training = [each.images["data"] for each in of_split["train"]]
        table = ColorTable.read(folder / _TABLE, void=("background",) if rest == "void" else ())
        super().__init__(
            "cvat",
            split,
            table.labels,
            of_split[split],
            cast(LabelReader, table),
            training=partial(tuple, training),
            skipped=skipped,
            orientation=choose_orientation(files, exif, doubts.append),
            bands=bands,
            white=white,
            doubts=doubts,
        )
