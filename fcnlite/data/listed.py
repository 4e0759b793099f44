"""A list of pictures and label maps, as the data layers of Caffe's forks read it (ImageSegData, DenseImageData)."""

from __future__ import annotations

import os
from pathlib import Path

from fcnlite.data.file_dataset import FileDataset, picture_and_label
from fcnlite.data.number_table import NumberTable, identity_values
from fcnlite.data.palette import voc_colors
from fcnlite.data.sample import VOID
from fcnlite.data.voc import default_classes
from fcnlite.description.model_info import Labels
from fcnlite.errors import DataError, FileError, quoted
from fcnlite.files import is_file, read_text

MAX_NAME = 500
"""Maximum number of characters in a name, since messages quote names in full."""


def class_labels(name: str, classes: int) -> Labels:
    """Names and colours for classes that have only numbers. Raises `DataError` for a number that no label map holds."""
    if not 2 <= classes <= VOID:
        raise DataError(f"data set {name!r}: classes is {classes}; expected 2 to {VOID}: classes=NUMBER.")
    names = default_classes(classes)
    return Labels(names, voc_colors(len(names)))


class Listed(FileDataset):
    """The pairs of a text file: in each line a picture and its label map, both below `root`.

    Options: `train` and `val`, the lists of the splits, below `root` or as they are; `classes`, their number;
    `train_labels` and `val_labels`, lists of the label maps alone: then the first word of each line counts, and the
    lists have one order. The numbers of the label maps are classes, and 255 is void. A name that begins with a slash is
    below `root` too, as in Caffe, where it follows root_folder, or if it is not there, from the top.
    """

    splits = ("train", "val")
    published = "The root must hold the files that the lists name (root_folder in Caffe)."

    def __init__(
        self,
        split: str,
        root: str | os.PathLike[str],
        *,
        train: str = "",
        train_labels: str = "",
        val: str = "",
        val_labels: str = "",
        classes: int = 0,
    ) -> None:
        labels = class_labels("list", classes)
        name, of_labels = {"train": (train, train_labels), "val": (val, val_labels)}[split]
        if not name:
            raise DataError(f"data set 'list': names no list for the split {split!r}; give {split}=FILE.")
        pairs = _pairs(listing(Path(root), name), listing(Path(root), of_labels) if of_labels else None)
        files = [picture_and_label(each[0], *(_place(Path(root), word) for word in each)) for each in pairs]
        super().__init__(
            "list", split, {"label": labels}, files, {"label": NumberTable(identity_values(classes), classes)}
        )


def listing(root: Path, name: str) -> Path:
    """The file `name`, below `root` or as it is."""
    return next((each for each in (root / name, Path(name)) if is_file(each)), root / name)


def _pairs(path: Path, of_labels: Path | None) -> list[tuple[str, str]]:
    """The names of pictures and label maps.

    Raises `FileError` for an empty list, `DataError` for lines that do not fit.
    """
    if of_labels is not None:
        pictures, labels = ([words[0] for _, words in _lines(each)] for each in (path, of_labels))
        if len(pictures) != len(labels):
            raise DataError(f"{path}: names {len(pictures):,} pictures, but {of_labels} {len(labels):,} label maps.")
        return list(zip(pictures, labels, strict=True))
    found = []
    for number, words in _lines(path):
        if len(words) != 2:
            raise DataError(
                f"{path}, line {number}: holds {quoted(' '.join(words))}; expected a picture and a label map."
            )
        found.append((words[0], words[1]))
    return found


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    """The numbers of the lines that hold anything, and their words."""
    lines = [
        (number, line.split()) for number, line in enumerate(read_text(path).splitlines(), start=1) if line.strip()
    ]
    if not lines:
        raise FileError(f"{path}: is empty; expected lines of a picture and its label map.")
    for number, words in lines:
        if any(len(word) > MAX_NAME or "\0" in word for word in words):
            raise DataError(f"{path}, line {number}: holds {quoted(words[0])}, which is not the name of a file.")
    return lines


def _place(root: Path, name: str) -> Path:
    below = root / name.lstrip("/")
    return below if is_file(below) or not name.startswith("/") else Path(name)
