"""Finds the folders of published data sets and reads their lists."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from fcnlite.errors import DataError, FileError
from fcnlite.files import read_text


def find_folder(name: str, root: str | os.PathLike[str], inside: Iterable[str], holds: Iterable[str], how: str) -> Path:
    """The first folder, among `root` and the folders `inside` it, that contains everything in `holds`.

    Raises `DataError` if there is none; the message lists what is missing, and ends with `how` the folder must look.
    """
    start, wanted = Path(root), list(holds)
    if not start.is_dir():
        raise DataError(f"data set {name!r}: the root {start} is not a folder; give the right one with --root. {how}")
    for each in (start, *(start / path for path in inside)):
        if all((each / path).exists() for path in wanted):
            return each
    missing = [path for path in wanted if not (start / path).exists()]
    raise DataError(f"data set {name!r}: {start} has no {' and no '.join(missing)}. {how}")


def read_list(path: Path) -> list[str]:
    """Read the names in a list, one per line; the rest of each line is ignored.

    Raises `FileError` for a missing or empty list, and `DataError` for names outside the folder.
    """
    names = [line.split()[0] for line in read_text(path).splitlines() if line.strip()]
    if not names:
        raise FileError(f"{path}: is empty; get the file again.")
    for name in names:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise DataError(f"{path}: lists {name[:80]!r}; expected names within the data set's folder.")
    return names


def read_split(folder: Path, split: str) -> list[str]:
    """Read the names in folder/`split`.txt. Without a list trainval.txt, `trainval` is train and val together.

    Raises `DataError` if there is no such list, and errors like `read_list`.
    """
    if split == "trainval" and not (folder / "trainval.txt").is_file():
        return [name for each in ("train", "val") for name in read_split(folder, each)]
    if not (folder / f"{split}.txt").is_file():
        there = ", ".join(sorted(path.name for path in folder.glob("*.txt"))) or "none"
        raise DataError(f"{folder}: has no list {split}.txt for the split {split!r} (found: {there}).")
    return read_list(folder / f"{split}.txt")
