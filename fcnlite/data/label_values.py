"""What the numbers in labels look like: classes, masks, the numbers of objects, or mistakes.

Asked only where nobody says how many classes there are. What looks doubtful stops, with the numbers that were found and
an option for each meaning that they can have.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fcnlite.arrays import Array
from fcnlite.data.blending import REMEDY, Counts, signs_of_blending
from fcnlite.data.label_files import read_label
from fcnlite.data.label_tables import REMAP_FORM, Warn
from fcnlite.data.number_table import LabelReader, format_ranges
from fcnlite.data.problems import raise_if_any, try_all
from fcnlite.data.sample import VOID
from fcnlite.errors import DataError, FcnliteError

BINARY = "give --data-option binary_masks=true (in Python binary_masks=True): 255 is class 1"

_SHOWN = 14
"""Numbers of which a table tells."""
_STRAY_PIXELS = 8
_STRAY_SHARE = 1e-4
"""Share of all pixels: a number with fewer, all in one picture, is taken for a slip of the brush."""
_FEW = 4
"""Numbers above 0 that must be there before they may pass for objects found in one picture each."""
_MOSTLY = 0.8
"""The share of these numbers that is found in one picture only; also the most labels that may count equally far."""
_HIGHEST = 3
"""Numbers that count up to this or further in each picture are taken for objects."""
_SOME_ERASED = 10
"""Labels from which on a few may lack a number and count all the same."""
_NEARLY_ALL = 0.9
"""The share of them that lacks none."""


class Doubt(NamedTuple):
    """Why labels do not look like classes, and the options that fit, the likeliest first."""

    why: str
    options: tuple[str, ...]
    stray: int | None = None
    """A number that may be a slip."""


class Histogram:
    """The numbers in some labels: pixels of each, and in which of the labels each is found."""

    def __init__(self, each: Sequence[Counts]) -> None:
        self.present: Array = np.array([counts.all > 0 for counts in each])
        """labels × 256: whether a label holds a number."""
        self.pixels: Array = np.sum([counts.all for counts in each], axis=0)
        self.pictures: Array = self.present.sum(axis=0)
        self.classes: list[int] = [int(value) for value in np.flatnonzero(self.pixels) if value != VOID]
        """The numbers that are found, without void."""

    def __str__(self) -> str:
        """A table, one number a line."""
        values = np.flatnonzero(self.pixels).tolist()
        shown = values if len(values) <= _SHOWN else [*values[: _SHOWN - 2], *values[-2:]]
        rows = [f"  {'value':>5} {'pixels':>12} {'share':>9}   pictures"]
        for value in shown:
            if len(values) > len(shown) and value == shown[-2]:
                rows.append(f"    ... {len(values) - len(shown)} more ...")
            share = 100 * self.pixels[value] / self.pixels.sum()
            digits = 1 if share >= 0.1 else 4
            what = "  (void)" if value == VOID else ""
            rows.append(
                f"  {value:>5} {self.pixels[value]:>12} {share:>7.{digits}f} %   "
                f"{self.pictures[value]} of {len(self.present)}{what}"
            )
        return "\n".join(rows)


def count_classes(folder: Path, labels: Sequence[Path], skip_bad: bool, warn: Warn) -> int:
    """The largest class number in the labels, plus one; with `skip_bad` in those that do not look blended.

    Raises `DataError` where the numbers do not look like those of classes.
    """
    found, problems = try_all(lambda path: (path, Counts.of(read_label(path))), labels)
    if not skip_bad or not found:
        raise_if_any(f"labels in {folder}", problems)
    each = [counts for _, counts in found]
    what = signs_of_blending(Counts.total(each))
    if what is not None:
        bad = [path.name for path, counts in found if signs_of_blending(counts) is not None]
        each = [counts for counts in each if signs_of_blending(counts) is None]
        if not skip_bad or not each or signs_of_blending(Counts.total(each)) is not None:
            names = f" ({', '.join(bad[:3])}{f' and {len(bad) - 3} more' if len(bad) > 3 else ''})" if bad else ""
            raise DataError(
                f"{folder}: the classes cannot be counted: {what}, so that the labels were anti-aliased, resized "
                f"smoothly or saved with losses (JPEG){names}; {REMEDY}. If they are masks of dark and light, give "
                "masks=threshold:128; if they number objects, masks=nonzero; if they are right, say how many classes "
                "there are (classes=N)."
            )
    histogram = Histogram(each)
    if histogram.classes in ([], [0]):
        raise DataError(f"{folder}: all labels are class 0, which leaves nothing to learn; give labels from 0 up.")
    count = histogram.classes[-1] + 1
    doubtful = doubt(histogram)
    if doubtful is not None:
        raise DataError(_refusal(folder, doubtful, histogram, count))
    if count == 3 and _counted(histogram.present, least=4):
        warn(
            f"{folder}: 2 is found only in labels that hold 1 too; if these are the numbers of objects, not of "
            "classes, give masks=nonzero; if they are classes, classes=3 says so."
        )
    return count


def doubt(histogram: Histogram) -> Doubt | None:
    """Why the numbers do not look like those of classes, if they do not."""
    values = histogram.classes
    highest = values[-1]
    found = format_ranges(values)
    gaps = highest + 1 - len(values)
    if len(values) == 2 and values[0] == 0 and highest > 1:
        return Doubt(f"hold {found}, as masks of two values do", ("nonzero", "threshold", "remap"))
    strays = [
        value
        for value in values
        if histogram.pictures[value] == 1
        and histogram.pixels[value] <= min(_STRAY_PIXELS, _STRAY_SHARE * histogram.pixels.sum())
        and len(histogram.present) > 2
    ]
    if strays:
        why = f"hold {format_ranges(strays)} in a few pixels of one picture only, which may be a slip"
        return Doubt(why, ("stray", "remap", "nonzero"), strays[0])
    if _counted(histogram.present):
        why = f"count from 0 in each picture ({found}), some further than others, as the numbers of objects do"
        return Doubt(why, ("nonzero", "remap"))
    above = [value for value in values if value > 0]
    single = sum(histogram.pictures[value] == 1 for value in above)
    if len(above) >= _FEW and len(histogram.present) > 2 and single > _MOSTLY * len(above):
        why = f"hold {found}, of which {single} are found in one picture only, as the numbers of objects are"
        return Doubt(why, ("nonzero", "remap"))
    if gaps:
        why = f"hold {found}, but no pixel of {format_ranges(sorted(set(range(highest)) - set(values)))}"
        if gaps <= len(values):
            return Doubt(why, ("classes", "remap", "nonzero"))
        return Doubt(why, ("remap", "nonzero", *(("threshold",) if highest > 99 else ())))
    return None


def _counted(present: Array, least: int = 0) -> bool:
    """Whether every label holds 0, 1, ... up to a highest number that varies, as the numbers of objects do.

    Up to 2 this is true of many classes as well, so that it counts only where `least` labels are asked for. Of many
    labels a few may lack a number, as where an object was erased.
    """
    classes = present.copy()
    classes[:, VOID] = False
    classes = classes[classes.any(axis=1)]
    highest = classes.shape[1] - 1 - np.argmax(classes[:, ::-1], axis=1)
    nested = classes.sum(axis=1) == highest + 1
    if least:
        return bool(len(nested) >= least and nested.all() and {1, 2} <= set(highest.tolist()))
    often = np.bincount(highest)
    varies = highest.max() >= _HIGHEST and np.count_nonzero(often) > 2
    nearly = len(nested) >= _SOME_ERASED and nested.mean() >= _NEARLY_ALL and often.max() <= _MOSTLY * len(nested)
    return bool(varies and (nested.all() or nearly))


def _refusal(folder: Path, doubtful: Doubt, histogram: Histogram, count: int) -> str:
    highest = count - 1
    threshold = 128 if highest >= 128 else max(1, highest)
    meanings = {
        "nonzero": ("masks=nonzero", "0 is class 0, every other value class 1, 255 too"),
        "threshold": (f"masks=threshold:{threshold}", f"values from {threshold} on are class 1, the others class 0"),
        "remap": ("remap=FILE", f"a table says which class each value is, {REMAP_FORM}"),
        "classes": ("classes=N", f"they are classes, 0 to N - 1, also those not found; N is {count} or more"),
        "stray": ("", f"mend the label, or give remap=FILE with a line such as `{doubtful.stray} void`"),
    }
    chosen = [meanings[each] for each in dict.fromkeys((*doubtful.options, "classes"))]
    ways = "\n".join(f"  {option + ':':<20} {words}" if option else f"  {words}" for option, words in chosen)
    return (
        f"{folder}: the labels {doubtful.why}; as classes they would make a net of {count}.\n{histogram}\n"
        "Say what they mean (on the command line with --data-option, in Python as an argument, such as "
        f'masks="nonzero"):\n{ways}'
    )


def refuse_masks(folder: Path, labels: Sequence[Path]) -> None:
    """Raise `DataError` if no label holds anything but 0 and 255: masks, of which only 0 would be learned.

    One picture may well have just background and void, hence all are asked; the first other class ends it.
    """
    masks: list[Path] = []
    for path in labels:
        try:
            found = set(np.unique(read_label(path)).tolist())
        except FcnliteError:
            continue  # check() tells what is wrong with this file
        if found - {0, VOID}:
            return
        if VOID in found:
            masks.append(path)
    if masks:
        raise DataError(
            f"{folder}: the labels hold only 0 and 255 ({masks[0].name} and {len(masks) - 1} others), and "
            f"255 means void, which is not learned; if they are masks, {BINARY}."
        )


def refuse_one_class(folder: Path, labels: Sequence[Path], read: LabelReader, option: str) -> None:
    """Raise `DataError` if all labels are one class as `option` has it; the first pixel of the other one ends it."""
    found: set[int] = set()
    for path in labels:
        try:
            found |= set(np.unique(read(path)).tolist())
        except FcnliteError:
            continue  # check() tells what is wrong with this file
        if {0, 1} <= found:
            return
    if found:
        raise DataError(
            f"{folder}: with {option} all labels are class {found.pop()}, which leaves nothing to learn; give another "
            "threshold, or say what the values mean (remap=FILE)."
        )
