"""Data sets, what is done to their pictures, and the loader that feeds them to a net.

`open(name, root, split, **options)` gives a `Dataset`: a sequence of `Sample`s with names and colours for its
classes. Void pixels are 255 in every set. `register(name)` adds a data set of one's own.
"""

from __future__ import annotations

import inspect
import os
import re
import typing
from collections.abc import Callable
from typing import Any, TypeVar

from fcnlite.data.camvid import CamVid
from fcnlite.data.cityscapes import Cityscapes
from fcnlite.data.dataset import Dataset, Subset
from fcnlite.data.folder import Folder
from fcnlite.data.isbi import ISBI
from fcnlite.data.loader import Loader, epoch
from fcnlite.data.nyud import NYUD
from fcnlite.data.palette import voc_colors
from fcnlite.data.pascal_context import PascalContext
from fcnlite.data.sample import VOID, Sample
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
    "register",
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


Made = TypeVar("Made", bound=Dataset)


def register(name: str) -> Callable[[type[Made]], type[Made]]:
    """Class decorator: make a `Dataset` of one's own known to `open`, and to `--data` where a command imports it.

        @data.register("mine")
        class Mine(data.Dataset):
            splits = ("train", "val")

            def __init__(self, root: str, split: str = "train", every: int = 1) -> None: ...

    The parameters of `__init__` beside root and split are the set's options; their annotations say how a command reads
    them: bool, int, float, str or Sequence[str]. Raises `DataError` for a name that is taken and for a class that
    lacks what a data set needs.
    """
    if not isinstance(name, str):
        raise DataError(f"register takes the data set's name: @data.register('mine') above {_called(name)}.")
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise DataError(f"data set name {name!r}: expected letters, digits, '-', '_' and '.' alone.")

    def add(kind: type[Made]) -> type[Made]:
        if name in _DATASETS:
            raise DataError(f"data set {name!r} is registered already, by {_DATASETS[name].__module__}.")
        _check_class(kind)
        _DATASETS[name] = kind
        return kind

    return add


def _check_class(kind: Any) -> None:
    """Raise `DataError` for a class that `open` cannot use."""
    where = f"data set class {_called(kind)}"
    if not (isinstance(kind, type) and issubclass(kind, Dataset)):
        raise DataError(f"{where}: is no subclass of fcnlite.data.Dataset.")
    missing = sorted(getattr(kind, "__abstractmethods__", ()))
    if missing:
        raise DataError(f"{where}: lacks {' and '.join(missing)}; define them.")
    splits = getattr(kind, "splits", None)
    if not isinstance(splits, tuple) or not splits or not all(isinstance(each, str) for each in splits):
        raise DataError(f"{where}: has no tuple of its splits; add splits = ('train', 'val'), say.")
    usual = kind.usual
    if not (isinstance(usual, tuple) and len(usual) == 2 and set(usual) <= set(splits)):
        raise DataError(
            f"{where}: usual is {usual!r}; expected two of its splits ({', '.join(splits)}), the one to train on and "
            "the one to measure on."
        )
    parameters = inspect.signature(kind).parameters
    if "split" not in parameters:
        raise DataError(f"{where}: its __init__ takes no split; `open` passes it by that name.")
    for each in parameters.values():
        if each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD, each.POSITIONAL_ONLY):
            raise DataError(f"{where}: its __init__ has {each}; `open` passes options by name, so name each of them.")
        if each.default is each.empty and each.name not in ("split", "root"):
            raise DataError(f"{where}: its option {each.name} has no default; give it one.")


def _called(kind: Any) -> str:
    return getattr(kind, "__name__", repr(kind))


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
    return {
        key: hints.get(key, str)
        for key in inspect.signature(kind).parameters
        if key not in ("split", "root", "skip_bad")
    }


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
    dataset = kind(split=split, **options)
    if not hasattr(dataset, "sizes"):
        raise DataError(
            f"data set class {kind.__name__}: its __init__ does not call super().__init__(name, split, labels, ...)."
        )
    return dataset


def _kind(name: str) -> type[Dataset]:
    if name not in _DATASETS:
        raise DataError(f"no data set is called {name!r}; {nearest(name, _DATASETS)}")
    return _DATASETS[name]
