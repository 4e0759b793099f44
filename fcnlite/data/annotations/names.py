"""The classes of objects with names: their numbers, the pixels without an object, names that are in no list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fcnlite.data.label_tables import Warn, find_table, is_void, read_classes
from fcnlite.data.palette import voc_colors
from fcnlite.data.sample import VOID
from fcnlite.description.model_info import Labels
from fcnlite.errors import DataError, brief

BACKGROUND = "background"
LISTS = ("classes.txt", "labels.txt")
"""The files in the root that may list the classes; the second name is LabelMe's."""
CHOICES = (BACKGROUND, "void")


@dataclass(frozen=True)
class ClassNames:
    """The classes of a data set of objects, and what becomes of everything else."""

    names: tuple[str, ...]
    rest: int
    """The class of pixels that no object covers, or `VOID`."""
    others: int | None
    """The class of objects whose name is not a class, or `VOID`; None if they are errors."""

    @staticmethod
    def of(
        name: str, root: Path, found: Sequence[str], classes: Sequence[str] | None, rest: str, others: str, warn: Warn
    ) -> ClassNames:
        """The classes that the option `classes` or a list in `root` names, else those `found`, in this order.

        Unless `rest` is `void`, the first class is `background`, if the list does not place it. `name` is that of the
        data set. Raises `DataError` for options and lists that cannot be used.
        """
        if rest not in CHOICES:
            raise DataError(f"data set {name!r}: rest is {rest!r}; expected background or void.")
        if others not in (*CHOICES, "error"):
            raise DataError(f"data set {name!r}: others is {others!r}; expected error, background or void.")
        where = "option classes"
        if classes is None:
            listing = next((path for each in LISTS if (path := find_table(root, each, warn)) is not None), None)
            classes, where = (read_classes(listing), str(listing)) if listing is not None else (found, "the labels")
        if isinstance(classes, str):
            raise DataError(f"data set {name!r}: classes is {classes!r}; expected a list of names.")
        kept = [each for each in map(normal, classes) if not is_void(each)]
        if twice := [each for i, each in enumerate(kept) if each in kept[:i]]:
            if where != "the labels":
                raise DataError(f"{where}: the class {brief(twice[0])!r} is given twice; keep one of them.")
            kept = [*dict.fromkeys(kept)]
        if BACKGROUND not in kept and BACKGROUND in (rest, others):
            kept = [BACKGROUND, *kept]
        if not 2 <= len(kept) <= VOID:
            listed = ", ".join(map(brief, kept[:6])) or "none"
            raise DataError(
                f"data set {name!r}: {len(kept)} classes are given ({where}: {listed}; void not counted); expected 2 "
                f"to {VOID}."
            )
        place = {BACKGROUND: kept.index(BACKGROUND) if BACKGROUND in kept else VOID, "void": VOID}
        return ClassNames(tuple(kept), place[rest], place.get(others))

    @property
    def labels(self) -> Labels:
        """The classes with VOC's colours."""
        return Labels(self.names, voc_colors(len(self.names)))

    def number(self, name: str) -> int | None:
        """The class of an object, or `VOID`; None if its name is neither a class nor void."""
        name = normal(name)
        if name in self.names:
            return self.names.index(name)
        return VOID if is_void(name) else self.others


def normal(name: str) -> str:
    """A name without outer blanks; LabelMe's `_background_` is `background`."""
    name = name.strip()
    return BACKGROUND if name.strip("_").lower() == BACKGROUND else name
