"""Data sets, what is done to their pictures, and the loader that feeds them to a net.

`open(name, root, split, **options)` gives a `Dataset`: a sequence of `Sample`s with names and colours for its
classes. Void pixels are 255 in every set.
"""

from __future__ import annotations

import inspect
import os
from typing import Any

from fcnlite.data.camvid import CamVid
from fcnlite.data.dataset import VOID, Dataset, Sample
from fcnlite.data.folder import Folder
from fcnlite.data.loader import Loader, epoch
from fcnlite.data.palette import voc_colors
from fcnlite.data.shapes import Shapes
from fcnlite.data.transforms import Augment
from fcnlite.errors import DataError, nearest

__all__ = [
    "VOID",
    "Augment",
    "Dataset",
    "Loader",
    "Sample",
    "epoch",
    "names",
    "open",
    "voc_colors",
]

_DATASETS: dict[str, type[Dataset]] = {"shapes": Shapes, "folder": Folder, "camvid": CamVid}


def names() -> tuple[str, ...]:
    """The names that `open` knows."""
    return tuple(sorted(_DATASETS))


def open(
    name: str, root: str | os.PathLike[str] | None = None, split: str = "train", **options: Any
) -> Dataset:
    """The data set called `name`; `root` is the folder it lies in, `options` are those of its class.

    Raises `DataError` for an unknown name, split or option, and for what the set itself finds wrong.
    """
    if name not in _DATASETS:
        raise DataError(f"no data set is called {name!r}; {nearest(name, _DATASETS)}")
    kind = _DATASETS[name]
    if split not in kind.splits:
        raise DataError(f"data set {name!r} has no split {split!r}; {nearest(split, kind.splits)}")
    if root is not None:
        options["root"] = root
    known = set(inspect.signature(kind).parameters) - {"split"}
    for option in options:
        if option not in known:
            raise DataError(f"data set {name!r} has no option {option!r}; {nearest(option, known)}")
    return kind(split=split, **options)
