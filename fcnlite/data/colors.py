"""Labels that show each class in a colour, and the table that says which colour is which class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fcnlite.data.blending import REMEDY
from fcnlite.data.dataset import VOID
from fcnlite.data.pictures import read_colors
from fcnlite.errors import DataError, FcnliteError
from fcnlite.files import read_text
from fcnlite.spec import Labels

TABLE = "colors.txt"
"""What the table is called in a data set's folder."""
FORM = "one line a class, `red green blue name`, such as `128 64 128 road`; the name void for what is left out"

_MOST_SHOWN = 12
_ON_EDGES = 0.9
"""Of pixels in unknown colours: the share that touches another colour where blending made them."""
_MANY = 64
"""Unknown colours that no forgotten classes explain."""
_FEW = 4
"""Colours on edges that forgotten classes may explain."""
_BLENDED = "anti-aliased or saved with losses (JPEG)"


@dataclass(frozen=True)
class ColorTable:
    """Colours by class; each void colour means `VOID`. Called with a path, it reads that label."""

    labels: Labels
    keys: np.ndarray
    """Sorted: red · 2¹⁶ + green · 2⁸ + blue of every colour."""
    values: np.ndarray
    """uint8: the class of each, or `VOID`."""

    @staticmethod
    def read(path: Path) -> ColorTable:
        """The table in a text file. Raises `FileError` or `DataError`, which names the line."""
        names: list[str] = []
        colors: list[tuple[int, int, int]] = []
        meaning: dict[int, int] = {}
        for number, line in enumerate(read_text(path).splitlines(), start=1):
            words = line.replace(",", " ").split(maxsplit=3)
            if not words or words[0].startswith("#"):
                continue
            if len(words) != 4 or not all(word.isdecimal() and len(word) < 4 and int(word) < 256 for word in words[:3]):
                raise DataError(f"{path}, line {number}: found {line[:60]!r}, expected {FORM}.")
            red, green, blue = map(int, words[:3])
            key, name = red << 16 | green << 8 | blue, words[3].strip()
            if key in meaning:
                raise DataError(f"{path}, line {number}: the colour {red} {green} {blue} is given twice; keep one.")
            if name.lower() == "void":
                meaning[key] = VOID
                continue
            if name not in names:  # two colours may well be one class
                names.append(name)
                colors.append((red, green, blue))
            meaning[key] = names.index(name)
        if not 2 <= len(names) <= VOID:
            raise DataError(f"{path}: names {len(names)} classes; expected 2 to {VOID}, {FORM}.")
        keys = np.array(sorted(meaning), np.int32)
        values = np.array([meaning[key] for key in keys.tolist()], np.uint8)
        return ColorTable(Labels(tuple(names), tuple(colors)), keys, values)

    def __call__(self, path: Path) -> np.ndarray:
        """The H×W uint8 classes in a label PNG of colours. Raises `DataError` for colours that are not in the table."""
        found = packed(read_colors(path))
        places = np.minimum(np.searchsorted(self.keys, found), len(self.keys) - 1)
        unknown = self.keys[places] != found
        if unknown.any():
            raise DataError(f"{path}: {_unknown(found, unknown)}")
        return self.values[places]


def packed(colors: np.ndarray) -> np.ndarray:
    """H×W×3 uint8 colours as H×W int32: red · 2¹⁶ + green · 2⁸ + blue."""
    red, green, blue = (colors[:, :, channel].astype(np.int32) for channel in range(3))
    return red << 16 | green << 8 | blue


def colors_found(paths: Sequence[Path]) -> str:
    """The most frequent colours of some labels, as a table has them; and whether they look blended."""
    counts: Counter[int] = Counter()
    inner: set[int] = set()
    for path in paths:
        try:
            found = packed(read_colors(path))
        except FcnliteError:
            continue  # check() tells what is wrong with this file
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
    """Which pixels of an H×W map differ from one beside, above or below them."""
    edge = np.zeros(found.shape, bool)
    for one, other in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])):
        differs = found[one] != found[other]
        edge[one] |= differs
        edge[other] |= differs
    return edge


def _text(key: int) -> str:
    return f"{key >> 16} {key >> 8 & 255} {key & 255}"


def _unknown(found: np.ndarray, unknown: np.ndarray) -> str:
    """What is wrong with colours that no table has: that they were blended, or which they are."""
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
