"""Finds the meaning of a folder's labels from its options, from the tables in it, or from the numbers in the labels."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from fcnlite.data.color_table import TABLE, ColorTable, refuse_colors
from fcnlite.data.label_files import read_numbers
from fcnlite.data.label_tables import Meaning, Warn, find_table, meaning_of, numbered, read_classes, read_remap
from fcnlite.data.label_values import count_classes, refuse_masks, refuse_one_class
from fcnlite.data.masks import MaskRule
from fcnlite.data.number_table import LabelReader, NumberTable, identity_values
from fcnlite.data.palette import voc_colors
from fcnlite.data.sample import VOID
from fcnlite.description.model_info import Labels
from fcnlite.errors import DataError

_LISTING = "classes.txt"
_REMEDY = (
    "correct the label or the number of classes, or give the meaning of the values (masks=nonzero, "
    "masks=threshold:128, remap=FILE)"
)


@dataclass(frozen=True)
class LabelOptions:
    """The options of `Folder` for the meaning of labels; `resolve` reads the labels where the options leave it open.

    Raises `DataError` for contradictory options.
    """

    root: Path
    folder: Path
    """The folder of the labels."""
    colors: str | os.PathLike[str] | None
    classes: int | Sequence[str] | None
    masks: str | None
    binary_masks: bool
    remap: str | os.PathLike[str] | None
    skip_bad: bool

    def __post_init__(self) -> None:
        given = {"colors": self.colors, "masks": self.masks, "binary_masks": self.binary_masks or None}
        given["remap"] = self.remap
        both = [option for option, value in given.items() if value is not None]
        if len(both) > 1:
            raise DataError(
                f"data set 'folder': {' and '.join(both)} exclude each other, since each gives the labels a meaning."
            )
        if self.colors is not None and self.classes is not None:
            raise DataError("data set 'folder': colors and classes exclude each other; the table names the classes.")
        if isinstance(self.classes, str):
            raise DataError(f"data set 'folder': classes is {self.classes!r}; expected a count or a list of names.")

    @property
    def lossless_only(self) -> bool:
        """Whether all labels must be PNG or TIFF files."""
        return self.masks is None or MaskRule.parse(self.masks).threshold is None

    def resolve(self, labels: Sequence[Path], warn: Warn) -> tuple[Labels, LabelReader]:
        """The classes and the reader of the labels. Raises `DataError` if the labels contradict the options."""
        if self.masks is not None or self.binary_masks:
            return self._two_classes(labels, warn)
        if self.remap is not None:
            meaning = read_remap(self.root / self.remap, *self._names(warn), warn)
            read = NumberTable(
                meaning.values, len(meaning.names), read_numbers, "add it to the table or correct the label"
            )
            return _shown(meaning.names), read
        table = find_table(self.root, TABLE, warn) if self.colors is None else self.root / self.colors
        if table is not None and self.classes is None:
            listing = find_table(self.root, _LISTING, warn)
            colors = ColorTable.read(table, () if listing is None else read_classes(listing), warn)
            return colors.labels, cast(LabelReader, colors)
        given = self._numbers(warn, warn)
        refuse_colors(self.root, self.folder, labels, table)
        refuse_masks(self.folder, labels)
        if given is None:
            count = count_classes(self.folder, labels, self.skip_bad, warn)
            given = Meaning(numbered(count), identity_values(count))
        return _shown(given.names), NumberTable(given.values, len(given.names), remedy=_REMEDY)

    def _two_classes(self, labels: Sequence[Path], warn: Warn) -> tuple[Labels, LabelReader]:
        option = "binary_masks" if self.masks is None else f"masks={self.masks}"
        names = self._names(warn)[0] or ("background", "foreground")
        if len(names) != 2:
            raise DataError(f"data set 'folder': {option} needs 2 classes, but {len(names)} are given.")
        read: LabelReader = NumberTable({0: 0, VOID: 1}, 2, remedy=_REMEDY)
        if self.masks is not None:
            read = MaskRule.parse(self.masks)
        refuse_one_class(self.folder, labels, read, option)
        return _shown(names), read

    def _numbers(self, warn: Warn, warn_of_void: Warn) -> Meaning | None:
        """The meaning of numbers by the option `classes` or the list classes.txt; None if neither is given.

        `warn_of_void` is called for every number that is void.
        """
        if isinstance(self.classes, int):
            if not 2 <= self.classes <= VOID:
                raise DataError(
                    f"data set 'folder': {self.classes} classes are given (option classes); expected 2 to {VOID}."
                )
            return Meaning(numbered(self.classes), identity_values(self.classes))
        if self.classes is not None:
            return meaning_of(tuple(self.classes), "option classes", warn_of_void)
        listing = find_table(self.root, _LISTING, warn)
        return None if listing is None else meaning_of(read_classes(listing), str(listing), warn_of_void)

    def _names(self, warn: Warn) -> tuple[tuple[str, ...], bool]:
        """The class names, for labels with another mapping of numbers, and whether their list contains void."""
        voids: list[str] = []
        meaning = self._numbers(warn, voids.append)
        return ((), False) if meaning is None else (meaning.names, bool(voids))


def _shown(names: tuple[str, ...]) -> Labels:
    return Labels(names, voc_colors(len(names)))
