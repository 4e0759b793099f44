"""Data sets, what is done to their pictures, and the loader that feeds them to a net.

`open(name, root, split, **options)` gives a `Dataset`: a sequence of `Sample`s with names and colours for its
classes. Void pixels are 255 in every set.
"""

from __future__ import annotations

import inspect
import os
import typing
from typing import Any

from fcnlite.data.camvid import CamVid
from fcnlite.data.cityscapes import Cityscapes
from fcnlite.data.dataset import VOID, Dataset, Sample, Subset
from fcnlite.data.folder import Folder
from fcnlite.data.isbi import ISBI
from fcnlite.data.loader import Loader, epoch
from fcnlite.data.nyud import NYUD
from fcnlite.data.palette import voc_colors
from fcnlite.data.pascal_context import PascalContext
from fcnlite.data.sbd import SBD
from fcnlite.data.shapes import Shapes
from fcnlite.data.siftflow import SIFTFlow
from fcnlite.data.transforms import Augment
from fcnlite.data.voc import VOC
from fcnlite.errors import DataError, nearest

__all__ = [
    "VOID",
    "Augment",
    "Dataset",
    "Loader",
    "Sample",
    "Subset",
    "epoch",
    "names",
    "open",
    "options",
    "usual_splits",
    "voc_colors",
]

_DATASETS: dict[str, type[Dataset]] = {
    "camvid": CamVid,
    "cityscapes": Cityscapes,
    "folder": Folder,
    "isbi": ISBI,
    "nyud": NYUD,
    "pascal-context": PascalContext,
    "sbd": SBD,
    "shapes": Shapes,
    "siftflow": SIFTFlow,
    "voc": VOC,
}


def names() -> tuple[str, ...]:
    """The names that `open` knows."""
    return tuple(sorted(_DATASETS))


def usual_splits(name: str) -> tuple[str, str]:
    """The splits of the data set called `name` that are trained on and measured on, unless others are asked for.

    Raises `DataError` for an unknown name.
    """
    return _kind(name).usual


def options(name: str) -> dict[str, Any]:
    """The options of the data set called `name`, beside root, split and skip_bad, and their types.

    Raises `DataError` for an unknown name.
    """
    kind = _kind(name)
    hints = typing.get_type_hints(kind.__init__)
    return {key: hints[key] for key in inspect.signature(kind).parameters if key not in ("split", "root", "skip_bad")}


def open(name: str, root: str | os.PathLike[str] | None = None, split: str | None = None, **options: Any) -> Dataset:
    """The data set called `name`; `root` is the folder it lies in, `options` are those of its class.

    `split` is the one that is usually trained on, unless given. Raises `DataError` for an unknown name, split or
    option, without a root that is needed, and for what the set itself finds wrong.
    """
    kind = _kind(name)
    split = kind.usual[0] if split is None else split
    if split not in kind.splits:
        raise DataError(f"data set {name!r} has no split {split!r}; {nearest(split, kind.splits)}")
    known = set(inspect.signature(kind).parameters) - {"split"}
    if root is not None:
        options["root"] = root
    elif "root" in known:
        raise DataError(f"data set {name!r} needs its root folder (--root DIR). {kind.published}")
    for option in options:
        if option not in known:
            raise DataError(f"data set {name!r} has no option {option!r}; {nearest(option, known)}")
    return kind(split=split, **options)


def _kind(name: str) -> type[Dataset]:
    if name not in _DATASETS:
        raise DataError(f"no data set is called {name!r}; {nearest(name, _DATASETS)}")
    return _DATASETS[name]
