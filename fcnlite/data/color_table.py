"""Labels that show each class in a colour, and the table that maps colours to classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fcnlite.data.blending import REMEDY
from fcnlite.data.label_files import holds_colors, palette_used, read_colors
from fcnlite.data.label_tables import COLOR_FORM, ColorRow, Warn, is_void, numbered, read_color_rows
from fcnlite.data.sample import VOID
from fcnlite.description.model_info import Labels
from fcnlite.errors import DataError, FcnliteError

TABLE = "colors.txt"
"""The name of the table in the folder of a data set."""
OTHER_TABLES = ("labelmap.txt", "class_dict.csv", "label_colors.txt")
"""The names that annotation tools and published data sets give it."""

_LOOKED_AT = 50
"""The number of labels that are searched for colours where the table is missing."""
_MOST_SHOWN = 12
_ON_EDGES = 0.9
"""The share of pixels in unknown colours that touch another colour, above which the label counts as blended."""
_MANY = 64
"""More unknown colours than this cannot be forgotten classes."""
_FEW = 4
"""Up to this number of colours on edges may be forgotten classes."""
_BLENDED = "anti-aliased or saved with lossy compression (JPEG)"


@dataclass(frozen=True)
class ColorTable:
    """A table of colours and their classes, or `VOID`. Calling it with a path reads that label."""

    labels: Labels
    keys: np.ndarray
    """Every colour as red · 2¹⁶ + green · 2⁸ + blue, sorted."""
    values: np.ndarray
    """The class of each colour, or `VOID`, as uint8."""

    @staticmethod
    def read(
        path: Path, names: Sequence[str] = (), warn: Warn = lambda _: None, *, void: Sequence[str] = ()
    ) -> ColorTable:
        """Read the table in a text file. Raises `FileError` or `DataError`, which names the line.

        The classes in `void` are void, as are those whose names say so. `names` is the list of classes in the same
        folder. It names the colours of a table without names, line by line, and numbers the classes of a table that
        has the same names in another order.
        """
        rows = [row._replace(name="void") if row.name in void else row for row in read_color_rows(path)]
        if rows and not rows[0].name:
            rows = _named(path, rows, names, warn)
            names = ()
        classes = list(dict.fromkeys(row.name for row in rows if not is_void(row.name)))
        listed = [name for name in names if not is_void(name)]
        if listed and sorted(listed) == sorted(classes):
            classes = listed
        elif listed:
            warn(
                f"{path}: its classes ({', '.join(classes[:6])}) differ from the list of classes in this "
                f"folder ({', '.join(listed[:6])}); the table is used."
            )
        if not 2 <= len(classes) <= VOID:
            raise DataError(f"{path}: has {len(classes)} classes; expected 2 to {VOID}, {COLOR_FORM}.")
        place = {name: number for number, name in enumerate(classes)}
        colors: dict[str, tuple[int, int, int]] = {}
        meaning: dict[int, int] = {}
        for row in rows:
            red, green, blue = row.color
            key = red << 16 | green << 8 | blue
            if key in meaning:
                raise DataError(f"{path}, line {row.line}: the colour {red} {green} {blue} is given twice; keep one.")
            meaning[key] = place.get(row.name, VOID)
            colors.setdefault(row.name, row.color)  # two colours may be one class
        keys = np.array(sorted(meaning), np.int32)
        values = np.array([meaning[key] for key in keys.tolist()], np.uint8)
        return ColorTable(Labels(tuple(classes), tuple(colors[name] for name in classes)), keys, values)

    def __call__(self, path: Path) -> np.ndarray:
        """The H×W uint8 classes of a label PNG of colours. Raises `DataError` for colours that the table lacks."""
        found = packed(read_colors(path))
        places = np.minimum(np.searchsorted(self.keys, found), len(self.keys) - 1)
        unknown = self.keys[places] != found
        if unknown.any():
            raise DataError(f"{path}: {_unknown(found, unknown)}")
        return self.values[places]


def _named(path: Path, rows: Sequence[ColorRow], names: Sequence[str], warn: Warn) -> list[ColorRow]:
    """Name the rows of a table without names, by the list of classes or by number."""
    if names and len(names) != len(rows):
        raise DataError(
            f"{path}: has {len(rows)} colours without names, but the list of classes in its folder has {len(names)} "
            "names; name every colour in the table, or list one class per colour."
        )
    if not names:
        names = numbered(len(rows))
        warn(f"{path}: its colours have no names; classes are numbered by line, and none is void.")
    return [row._replace(name=name) for row, name in zip(rows, names, strict=True)]


def packed(colors: np.ndarray) -> np.ndarray:
    """H×W×3 uint8 colours as H×W int32: red · 2¹⁶ + green · 2⁸ + blue."""
    red, green, blue = (colors[:, :, channel].astype(np.int32) for channel in range(3))
    return red << 16 | green << 8 | blue


def colors_found(paths: Sequence[Path]) -> str:
    """Describe the most frequent colours of some labels, as a table writes them, and whether they look blended."""
    counts: Counter[int] = Counter()
    inner: set[int] = set()
    for path in paths:
        try:
            found = packed(read_colors(path))
        except FcnliteError:
            continue  # check() reports this file
        keys, numbers = np.unique(found, return_counts=True)
        counts.update(dict(zip(keys.tolist(), numbers.tolist(), strict=True)))
        inner.update(np.unique(found[~on_edge(found)]).tolist())
    blended = len(counts) > _MANY or len(counts.keys() - inner) > _FEW
    total = sum(counts.values())
    frequent = [
        (key, count)
        for key, count in counts.most_common(_MOST_SHOWN)
        if count > total / 5000 and (key in inner or not blended)
    ]
    shown = ", ".join(f"{_text(key)} ({100 * count / total:.1f} %)" for key, count in frequent)
    return shown + (f"; {len(counts) - len(frequent)} others, which look {_BLENDED}: {REMEDY}" if blended else "")


def on_edge(found: np.ndarray) -> np.ndarray:
    """Which pixels of an H×W map differ from a neighbour to the left, right, top or bottom."""
    edge = np.zeros(found.shape, bool)
    for one, other in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])):
        differs = found[one] != found[other]
        edge[one] |= differs
        edge[other] |= differs
    return edge


def _text(key: int) -> str:
    return f"{key >> 16} {key >> 8 & 255} {key & 255}"


def _unknown(found: np.ndarray, unknown: np.ndarray) -> str:
    """Describe colours that the table lacks: that the label was blended, or which colours they are."""
    keys, counts = np.unique(found[unknown], return_counts=True)
    if len(keys) > _MANY or (len(keys) > _FEW and np.mean(on_edge(found)[unknown]) > _ON_EDGES):
        return (
            f"holds {len(keys)} colours that the table does not have, in {int(unknown.sum())} pixels: the "
            f"label was {_BLENDED}; {REMEDY}."
        )
    frequent = [_text(key) for key in keys[np.argsort(-counts, kind="stable")][:3].tolist()]
    more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
    return (
        f"holds colours that the table does not have: {', '.join(frequent)}{more} ({int(unknown.sum())} pixels); add "
        "them to the table, as a class or as void."
    )


def refuse_colors(root: Path, folder: Path, labels: Sequence[Path], table: Path | None) -> None:
    """Raise `DataError`, which lists the colours found, if the labels show colours where numbers are expected.

    `table` is the colour table of the folder, which the option `classes` overrides.
    """
    looked_at = labels[:_LOOKED_AT]
    if not looked_at:
        return
    if holds_colors(looked_at[0]):
        how = f"({looked_at[0].name}) instead of class numbers"
    elif (two := _palettes_differ(looked_at)) is not None:
        how = f"by different palettes ({two}) instead of class numbers (if the numbers are right, save gray PNGs)"
    else:
        return
    if table is not None:
        raise DataError(
            f"data set 'folder': the labels show colours and need the table {table}, which names the classes; leave "
            "out the option classes."
        )
    there = [name for name in OTHER_TABLES if (root / name).is_file()]
    way = f"{root / there[0]} exists: give colors={there[0]}" if there else f"give their classes in {root / TABLE}"
    raise DataError(
        f"{folder}: the labels show colours {how}; {way}, {COLOR_FORM}. If each colour is one object, give "
        f"masks=nonzero: black is class 0, every other colour class 1. Found: {colors_found(looked_at)}."
    )


def _palettes_differ(paths: Sequence[Path]) -> str | None:
    """Describe two labels in which one number has two colours; None if there are none."""
    seen: dict[int, tuple[str, tuple[int, ...]]] = {}
    for path in paths:
        for number, color in palette_used(path).items():
            other, its = seen.setdefault(number, (path.name, color))
            if its != color:
                return f"{number} is {_color(its)} in {other}, {_color(color)} in {path.name}"
    return None


def _color(color: Sequence[int]) -> str:
    return " ".join(map(str, color))
