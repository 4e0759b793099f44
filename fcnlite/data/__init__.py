"""Data sets, the transforms of their pictures, and the loader that feeds them to a net.

`open(name, root, split, **options)` returns a `Dataset`: a sequence of `Sample`s, and the names and colours of their
classes. Void pixels are 255 in every data set. `register(name)` adds a data set of your own.
"""

from __future__ import annotations

import inspect
import os
import re
import typing
from collections.abc import Callable
from typing import Any, TypeVar

from fcnlite.data.augmentation import Augment
from fcnlite.data.camvid import CamVid
from fcnlite.data.cityscapes import Cityscapes
from fcnlite.data.coco import COCO
from fcnlite.data.cvat import CVAT
from fcnlite.data.dataset import Dataset, Subset
from fcnlite.data.folder import Folder
from fcnlite.data.hdf5_arrays import HDF5Arrays
from fcnlite.data.isbi import ISBI
from fcnlite.data.labelme import LabelMe
from fcnlite.data.listed import Listed
from fcnlite.data.lmdb_pairs import LMDBPairs
from fcnlite.data.loader import Loader, epoch
from fcnlite.data.nyud import NYUD
from fcnlite.data.palette import voc_colors
from fcnlite.data.pascal_context import PascalContext
from fcnlite.data.sample import VOID, Sample
from fcnlite.data.sbd import SBD
from fcnlite.data.shapes import Shapes
from fcnlite.data.siftflow import SIFTFlow
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
    "register",
    "takes_skip_bad",
    "usual_splits",
    "voc_colors",
]

_DATASETS: dict[str, type[Dataset]] = {
    "camvid": CamVid,
    "cityscapes": Cityscapes,
    "coco": COCO,
    "cvat": CVAT,
    "folder": Folder,
    "hdf5": HDF5Arrays,
    "isbi": ISBI,
    "list": Listed,
    "lmdb": LMDBPairs,
    "labelme": LabelMe,
    "nyud": NYUD,
    "pascal-context": PascalContext,
    "sbd": SBD,
    "shapes": Shapes,
    "siftflow": SIFTFlow,
    "voc": VOC,
}


DatasetClass = TypeVar("DatasetClass", bound=Dataset)


def register(name: str) -> Callable[[type[DatasetClass]], type[DatasetClass]]:
    """Class decorator that adds a `Dataset` of your own to those that `open` knows, and `--data` in commands.

        @data.register("mine")
        class Mine(data.Dataset):
            splits = ("train", "val")

            def __init__(self, root: str, split: str = "train", every: int = 1) -> None: ...

    A command knows the data set once it has imported this class. The parameters of `__init__` besides root and split
    are the options of the data set. Their annotations say how a command parses them: bool, int, float, str or
    Sequence[str]. Raises `DataError` if the name is taken or the class lacks something that a data set needs.
    """
    if not isinstance(name, str):
        raise DataError(f"register takes the data set's name: @data.register('mine') above {_called(name)}.")
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise DataError(f"data set name {name!r}: expected only letters, digits, '-', '_' and '.'.")

    def add(dataset_class: type[DatasetClass]) -> type[DatasetClass]:
        if name in _DATASETS:
            raise DataError(f"data set {name!r} is registered already, by {_DATASETS[name].__module__}.")
        _check_class(dataset_class)
        _DATASETS[name] = dataset_class
        return dataset_class

    return add


def _check_class(dataset_class: Any) -> None:
    """Raise `DataError` for a class that `open` cannot use."""
    where = f"data set class {_called(dataset_class)}"
    if not (isinstance(dataset_class, type) and issubclass(dataset_class, Dataset)):
        raise DataError(f"{where}: is not a subclass of fcnlite.data.Dataset.")
    missing = sorted(getattr(dataset_class, "__abstractmethods__", ()))
    if missing:
        raise DataError(f"{where}: lacks {' and '.join(missing)}; define them.")
    splits = getattr(dataset_class, "splits", None)
    if not isinstance(splits, tuple) or not splits or not all(isinstance(each, str) for each in splits):
        raise DataError(f"{where}: has no tuple of its splits; add, for example, splits = ('train', 'val').")
    usual = dataset_class.usual
    if not (isinstance(usual, tuple) and len(usual) == 2 and set(usual) <= set(splits)):
        raise DataError(
            f"{where}: usual is {usual!r}; expected two of its splits ({', '.join(splits)}), the one to train on and "
            "the one to evaluate on."
        )
    parameters = inspect.signature(dataset_class).parameters
    if "split" not in parameters:
        raise DataError(f"{where}: its __init__ takes no split; `open` passes it by that name.")
    for each in parameters.values():
        if each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD, each.POSITIONAL_ONLY):
            raise DataError(f"{where}: its __init__ has {each}; `open` passes options by name, so name every option.")
        if each.default is each.empty and each.name not in ("split", "root"):
            raise DataError(f"{where}: its option {each.name} has no default; give it one.")


def _called(dataset_class: Any) -> str:
    return getattr(dataset_class, "__name__", repr(dataset_class))


def names() -> tuple[str, ...]:
    """The names of all data sets that `open` knows."""
    return tuple(sorted(_DATASETS))


def usual_splits(name: str) -> tuple[str, str]:
    """The default splits of the data set `name`: the one to train on and the one to evaluate on.

    Raises `DataError` for an unknown name.
    """
    return _dataset_class(name).usual


def options(name: str) -> dict[str, Any]:
    """The options of the data set `name` and their types, without root, split and skip_bad.

    Raises `DataError` for an unknown name.
    """
    dataset_class = _dataset_class(name)
    hints = typing.get_type_hints(dataset_class.__init__)
    return {
        key: hints.get(key, str)
        for key in inspect.signature(dataset_class).parameters
        if key not in ("split", "root", "skip_bad")
    }


def takes_skip_bad(name: str) -> bool:
    """Whether the data set `name` itself skips what cannot be used, such as files without a partner.

    Raises `DataError` for an unknown name.
    """
    return "skip_bad" in inspect.signature(_dataset_class(name)).parameters


def open(name: str, root: str | os.PathLike[str] | None = None, split: str | None = None, **options: Any) -> Dataset:
    """Open the data set `name` in the folder `root`, with the `options` of its class.

    The default `split` is the one to train on. Raises `DataError` for an unknown name, split or option, for a missing
    root, and for problems that the data set itself finds.
    """
    dataset_class = _dataset_class(name)
    split = dataset_class.usual[0] if split is None else split
    if split not in dataset_class.splits:
        raise DataError(f"data set {name!r} has no split {split!r}; {nearest(split, dataset_class.splits)}")
    known = set(inspect.signature(dataset_class).parameters) - {"split"}
    if root is not None:
        options["root"] = root
    elif "root" in known:
        raise DataError(f"data set {name!r} needs its root folder (--root DIR). {dataset_class.published}")
    for option in options:
        if option not in known:
            raise DataError(f"data set {name!r} has no option {option!r}; {nearest(option, known)}")
    dataset = dataset_class(split=split, **options)
    if not hasattr(dataset, "sizes"):
        raise DataError(
            f"data set class {dataset_class.__name__}: its __init__ does not call super().__init__(name, split, "
            "labels, ...)."
        )
    return dataset


def _dataset_class(name: str) -> type[Dataset]:
    if name not in _DATASETS:
        raise DataError(f"no data set is called {name!r}; {nearest(name, _DATASETS)}")
    return _DATASETS[name]
