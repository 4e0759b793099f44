"""What the loaders of published data sets share: finding the folder that holds the set, reading its lists."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from fcnlite.errors import DataError, FileError
from fcnlite.files import read_text


def find_folder(name: str, root: str | os.PathLike[str], inside: Iterable[str], holds: Iterable[str], how: str) -> Path:
    """The first of `root` and the folders `inside` it that has all that the set `holds`.

    Raises `DataError` where none has; it says what is missing, and `how` the folder must look.
    """
    start, wanted = Path(root), list(holds)
    if not start.is_dir():
        raise DataError(f"data set {name!r}: the root {start} is no folder; give the set's folder with --root. {how}")
    for each in (start, *(start / path for path in inside)):
        if all((each / path).exists() for path in wanted):
            return each
    missing = [path for path in wanted if not (start / path).exists()]
    raise DataError(f"data set {name!r}: {start} has no {' and no '.join(missing)}. {how}")


def read_list(path: Path) -> list[str]:
    """The names in a list, one a line (what follows a name on its line is passed over).

    Raises `FileError` for a list that is missing or empty, `DataError` for names that lead out of the folder.
    """
    names = [line.split()[0] for line in read_text(path).splitlines() if line.strip()]
    if not names:
        raise FileError(f"{path}: lists nothing; get the file again.")
    for name in names:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise DataError(f"{path}: lists {name[:80]!r}; expected names within the data set's folder.")
    return names


def read_split(folder: Path, split: str) -> list[str]:
    """The names in folder/`split`.txt; `trainval` is train and val together where it has no list of its own.

    Raises `DataError` where there is no such list, and as `read_list` does.
    """
    if split == "trainval" and not (folder / "trainval.txt").is_file():
        return [name for each in ("train", "val") for name in read_split(folder, each)]
    if not (folder / f"{split}.txt").is_file():
        there = ", ".join(sorted(path.name for path in folder.glob("*.txt"))) or "none"
        raise DataError(f"{folder}: has no list {split}.txt for the split {split!r} (lists there: {there}).")
    return read_list(folder / f"{split}.txt")
