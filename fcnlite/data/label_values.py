"""Counts the classes from the values in labels, and recognises values that are not classes.

It is used only if the user does not give the number of classes. Values that look like masks, numbered objects or
mistakes are an error, which shows the values found and an option for each possible meaning.
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

BINARY = "give --data-option binary_masks=true (in Python: binary_masks=True), which makes 255 class 1"

_SHOWN = 14
"""The greatest number of values that the table shows."""
_STRAY_PIXELS = 8
_STRAY_SHARE = 1e-4
"""A value with at most so many pixels, and this share of all pixels, all in one picture, counts as a slip."""
_FEW = 4
"""The least number of values above 0 that may count as numbered objects, each found in one picture."""
_MOSTLY = 0.8
"""The share of these values that occur in one picture only; also the greatest share of labels with one highest value."""
_HIGHEST = 3
"""Values that count up to at least this in each picture are taken for numbered objects."""
_SOME_ERASED = 10
"""From this number of labels on, a few of them may lack a value in the count."""
_NEARLY_ALL = 0.9
"""The share of them that must not lack a value."""


class Doubt(NamedTuple):
    """The reason why labels do not look like classes, and the options that may fit, most likely first."""

    why: str
    options: tuple[str, ...]
    stray: int | None = None
    """A value that may be a slip of the annotator."""


class Histogram:
    """The values in some labels: the pixels of each value, and the labels that contain it."""

    def __init__(self, each: Sequence[Counts]) -> None:
        self.present: Array = np.array([counts.all > 0 for counts in each])
        """Labels × 256: whether a label contains a value."""
        self.pixels: Array = np.sum([counts.all for counts in each], axis=0)
        self.pictures: Array = self.present.sum(axis=0)
        self.classes: list[int] = [int(value) for value in np.flatnonzero(self.pixels) if value != VOID]
        """The values found, without void."""

    def __str__(self) -> str:
        """A table with one value per line."""
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
    """The largest class number in the labels plus one; with `skip_bad`, only in labels without signs of blending.

    Raises `DataError` if the values do not look like class numbers.
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
                f"{folder}: the classes cannot be counted: {what}, so the labels were anti-aliased, resized "
                f"smoothly or saved with lossy compression (JPEG){names}; {REMEDY}. If they are masks of dark and light, "
                "give masks=threshold:128; if they number objects, masks=nonzero; if they are right, give the number of "
                "classes (classes=N)."
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
            f"{folder}: 2 is found only in labels that also hold 1; if these values number objects, give "
            "masks=nonzero; if they are classes, give classes=3."
        )
    return count


def doubt(histogram: Histogram) -> Doubt | None:
    """The reason why the values do not look like class numbers; None if they do."""
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
    """Whether every label holds 0, 1, ... up to a highest value that varies, as numbered objects do.

    Up to 2 this is true of many class labels too, so it counts only with `least`, a minimum number of labels. Among many
    labels a few may lack a value, since an object may have been erased.
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
        "nonzero": ("masks=nonzero", "0 is class 0, every other value, also 255, is class 1"),
        "threshold": (
            f"masks=threshold:{threshold}",
            f"values from {threshold} on are class 1, smaller values class 0",
        ),
        "remap": ("remap=FILE", f"a table maps values to classes, {REMAP_FORM}"),
        "classes": ("classes=N", f"the values are classes, 0 to N - 1, even those not found; N is {count} or more"),
        "stray": ("", f"correct the label, or give remap=FILE with a line such as `{doubtful.stray} void`"),
    }
    chosen = [meanings[each] for each in dict.fromkeys((*doubtful.options, "classes"))]
    ways = "\n".join(f"  {option + ':':<20} {words}" if option else f"  {words}" for option, words in chosen)
    return (
        f"{folder}: the labels {doubtful.why}; as classes they would make a net of {count}.\n{histogram}\n"
        "Give their meaning (on the command line with --data-option, in Python as an argument, such as "
        f'masks="nonzero"):\n{ways}'
    )


def refuse_masks(folder: Path, labels: Sequence[Path]) -> None:
    """Raise `DataError` if all labels hold only 0 and 255: such masks would train only class 0.

    A single picture may hold only background and void, so all labels are read until one holds another class.
    """
    masks: list[Path] = []
    for path in labels:
        try:
            found = set(np.unique(read_label(path)).tolist())
        except FcnliteError:
            continue  # check() reports this file
        if found - {0, VOID}:
            return
        if VOID in found:
            masks.append(path)
    if masks:
        raise DataError(
            f"{folder}: the labels hold only 0 and 255 ({masks[0].name} and {len(masks) - 1} others), and "
            f"255 means void, which training ignores; if they are masks, {BINARY}."
        )


def refuse_one_class(folder: Path, labels: Sequence[Path], read: LabelReader, option: str) -> None:
    """Raise `DataError` if `option` makes all labels one class; labels are read until both classes are found."""
    found: set[int] = set()
    for path in labels:
        try:
            found |= set(np.unique(read(path)).tolist())
        except FcnliteError:
            continue  # check() reports this file
        if {0, 1} <= found:
            return
    if found:
        raise DataError(
            f"{folder}: with {option} all labels are class {found.pop()}, which leaves nothing to learn; give another "
            "threshold, or map the values to classes (remap=FILE)."
        )
