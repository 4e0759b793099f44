"""Pictures of your own: a directory of images and one of label PNGs, matched by name."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np

from fcnlite.data.bands import feed, kind_of, measured
from fcnlite.data.blending import REMEDY, Counts, blended
from fcnlite.data.colors import FORM, TABLE, ColorTable, colors_found
from fcnlite.data.dataset import VOID
from fcnlite.data.pairs import FileDataset, Files, Numbers, ReadLabel, picture_and_label, plain_values
from fcnlite.data.palette import voc_colors
from fcnlite.data.pictures import PNG_ONLY, SUFFIXES, holds_colors, palette_used, read_label
from fcnlite.data.problems import Progress, complain, survey
from fcnlite.data.splits import choose, lines
from fcnlite.errors import DataError, FcnliteError
from fcnlite.files import cannot_read
from fcnlite.spec import Labels, Preprocessing

_LOOKED_AT = 50
"""Labels that are looked through for the colours of a table that is missing."""


class Folder(FileDataset):
    """Pairs of files in two directories, which may have subdirectories (the same ones on both sides).

    `images`, `labels`: the directories; relative ones are looked up in `root`.
    `colors`: a table of the colours that the labels show the classes in (see `colors.FORM`), looked up likewise.
    Without it root/colors.txt is one; without that file the labels hold class numbers.
    `classes`: the names of the classes, or how many there are; a colour table has its own. Without it the names are the
    lines of root/classes.txt; without that file the largest label number found, plus one, is the count.
    `val`: the fraction held out for validation. A picture is held out or not by a hash of its name, so that
    adding pictures moves none of the others. Without it root/train.txt and root/val.txt list the names, one a
    line (if there is only one of the two, the other split has all the rest); without these files it is 0.2.
    `binary_masks`: the labels hold 0 and 255, and 255 is class 1, not void.
    `skip_bad`: pass over pictures without a label, labels without a picture and labels that cannot be read, which are
    errors otherwise; `usable` tells of them.
    `bands`: which bands of the pictures are fed to the net, counted from 1 (default: all; three in the order blue,
    green, red). Pictures that are not gray or RGB of 8 bits are fed less the mean of each band over the training split,
    divided by its deviation. `white`: instead, the value that is fed as white bytes are, for pictures of 16 bits.
    Raises `DataError` for what is wrong with names, options and splits; `check()` reads the files.
    """

    splits = ("train", "val")
    published = (
        "It is a folder of your own, which holds images/ and labels/ with files of the same names: labels as PNGs of "
        "class numbers (255 is void), or of colours together with a colors.txt."
    )

    def __init__(
        self,
        split: str,
        root: str | os.PathLike[str],
        *,
        images: str | os.PathLike[str] = "images",
        labels: str | os.PathLike[str] = "labels",
        colors: str | os.PathLike[str] | None = None,
        classes: int | Sequence[str] | None = None,
        val: float | None = None,
        binary_masks: bool = False,
        white: int | None = None,
        bands: Sequence[int] = (),
        skip_bad: bool = False,
    ) -> None:
        folder = Path(root)
        if not folder.is_dir():
            raise DataError(f"data set 'folder': the root {folder} is no folder. {self.published}")
        files, self._passed_over = _pairs(folder / images, folder / labels)
        if not skip_bad or not files:
            complain("data set 'folder'", self._passed_over)
        chosen = choose({each.name for each in files}, folder, val, split)
        kept = [each for each in files if each.name in chosen]
        table = _color_table(folder, colors, classes, binary_masks)
        if table is not None:
            meaning, read = table.labels, cast(ReadLabel, table)
        else:
            meaning, read = _numbers(folder, folder / labels, files, classes, binary_masks, skip_bad)
        if white is not None and not 1 <= white <= 65535:
            raise DataError(f"data set 'folder': white is {white}; expected 1 to 65535.")
        kind = _kind(files, bands)
        super().__init__("folder", split, {"label": meaning}, kept, {"label": read}, kind)
        trained_on = choose({each.name for each in files}, folder, val, "train")
        self._measured_on = [each.images["data"] for each in files if each.name in trained_on]
        self._white = white

    @cached_property
    def preprocessing(self) -> Preprocessing | None:
        """None for pictures of 8 bits, gray or RGB; else the mean and deviation of each band in the training split."""
        kind = self._kinds if self._kinds.bits != 8 or self._kinds.bands else None
        if kind is None:
            return None
        if self._white is not None:  # fed as a byte of 255 is, about the middle of the range
            return replace(kind, mean=(self._white / 2,) * len(kind.mean), scale=255 / self._white)
        return measured(kind, self._measured_on)

    def usable(self, progress: Progress | None = None) -> tuple[Sequence[int], list[str]]:
        """As every set; warns where the labels look blended although all their numbers are classes."""
        counts: list[Counts] = []

        def read(index: int) -> int:
            counts.append(Counts.of(self._visit(index).label))
            return index

        indices, problems = survey(read, range(len(self)), progress)
        what = blended(Counts.total(counts)) if counts else None
        if what is not None:
            warnings.warn(
                f"in the labels of data set 'folder' ({self.split}) {what}: they look anti-aliased, resized smoothly "
                f"or saved with losses (JPEG); if they are, {REMEDY}.",
                stacklevel=2,
            )
        return indices, [*self._passed_over, *problems]


def _color_table(
    root: Path, colors: str | os.PathLike[str] | None, classes: int | Sequence[str] | None, masks: bool
) -> ColorTable | None:
    if colors is None and (not (root / TABLE).is_file() or classes is not None or masks):
        return None
    if classes is not None or masks:
        raise _two_meanings("colors", masks)
    return ColorTable.read(root / (TABLE if colors is None else colors))


def _two_meanings(table: str, masks: bool) -> DataError:
    other = "binary_masks" if masks else "classes"
    return DataError(f"data set 'folder': {table} and {other} exclude each other; the table names the classes.")


def _numbers(
    root: Path,
    labels: Path,
    files: Sequence[Files],
    classes: int | Sequence[str] | None,
    masks: bool,
    skip_bad: bool,
) -> tuple[Labels, ReadLabel]:
    """Classes and reader of labels that hold numbers."""
    names = _class_names(classes, root / "classes.txt")
    values: Mapping[int, int]
    if masks:
        names = names or ("background", "foreground")
        if len(names) != 2:
            raise DataError(f"data set 'folder': binary_masks needs 2 classes, but {len(names)} are given.")
        values = {0: 0, 255: 1}
    else:
        _refuse_colors(root, labels, files, classes is not None)
        _refuse_masks(labels, files)
        names = names or _numbered(_count_classes(labels, files, skip_bad))
        values = plain_values(len(names))
    return Labels(names, voc_colors(len(names))), Numbers(values, len(names))


def _kind(files: Sequence[Files], bands: Sequence[int]) -> Preprocessing | None:
    """How the pictures are read: as the first one that can be read is. None for 8 bits, gray or RGB."""
    for each in files:
        try:
            kind = kind_of(each.images["data"])
        except FcnliteError:
            continue  # check() tells what is wrong with this file
        try:
            return feed(kind, bands)
        except DataError as error:
            raise DataError(f"data set 'folder': {error}") from error
    return None


def _pairs(images: Path, labels: Path) -> tuple[list[Files], list[str]]:
    """All pairs in the two directories, by name, and what has no partner or two."""
    pictures, others = _by_name(images), _by_name(labels)
    if not pictures:
        raise DataError(f"{images}: holds no pictures ({', '.join(SUFFIXES)}); put the images there.")
    pairs: list[Files] = []
    problems: list[str] = []
    for name, found in pictures.items():
        wanted = [path for path in others.get(name, []) if path.suffix.lower() == ".png"]
        if len(found) > 1:
            problems.append(f"{found[0]}: {found[1].name} has the same name; rename or remove one of them.")
        elif wanted:
            pairs.append(picture_and_label(name, found[0], wanted[0]))
        elif name in others:
            problems.append(f"{others[name][0]}: is no PNG; {PNG_ONLY}: {REMEDY}.")
        else:
            problems.append(f"{found[0]}: has no label {labels / name}.png; add it or take the picture out.")
    problems += [
        f"{others[name][0]}: no picture in {images} has this name; add it or take the label out."
        for name in others
        if name not in pictures
    ]
    return pairs, problems


def _by_name(folder: Path) -> dict[str, list[Path]]:
    """The picture files below `folder` by their paths in it without suffix; not the hidden ones."""
    if not folder.is_dir():
        raise DataError(f"{folder}: is no directory; data set 'folder' needs one of images and one of label PNGs.")
    found: dict[str, list[Path]] = {}
    try:
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(folder)
            hidden = any(part.startswith(".") for part in inside.parts)
            if path.suffix.lower() in SUFFIXES and not hidden and path.is_file():
                found.setdefault(inside.with_suffix("").as_posix(), []).append(path)
    except OSError as error:
        raise cannot_read(folder, error) from error
    return found


def _class_names(classes: int | Sequence[str] | None, listing: Path) -> tuple[str, ...]:
    """The names that the option or the file `listing` gives; none if neither does."""
    if isinstance(classes, str):
        raise DataError(f"data set 'folder': classes is {classes!r}; expected a count or a list of names.")
    if classes is None:
        if not listing.is_file():
            return ()
        classes = lines(listing)
    count = classes if isinstance(classes, int) else len(classes)
    if not 2 <= count <= VOID:
        raise DataError(f"data set 'folder': {count} classes are given (option or {listing}); expected 2 to {VOID}.")
    return _numbered(classes) if isinstance(classes, int) else tuple(classes)


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(f"class {number}" for number in range(count))


def _values(path: Path) -> set[int]:
    """The numbers in one label file."""
    return set(np.unique(read_label(path)).tolist())


def _refuse_colors(root: Path, folder: Path, pairs: Sequence[Files], classes_given: bool) -> None:
    """Raise `DataError` if the labels show colours, which want a table; it tells the colours that were found."""
    looked_at = [each.labels["label"] for each in pairs[:_LOOKED_AT]]
    if not looked_at:
        return
    if holds_colors(looked_at[0]):
        how = f"({looked_at[0].name}), not class numbers"
    elif (two := _palettes_differ(looked_at)) is not None:
        how = f"by palettes that differ ({two}), not class numbers (if these are right, save them as gray PNGs)"
    else:
        return
    if classes_given and (root / TABLE).is_file():
        raise _two_meanings(f"the table {root / TABLE}, which the colours of the labels want,", masks=False)
    raise DataError(
        f"{folder}: the labels show colours {how}; say what they mean in {root / TABLE}, {FORM}. "
        f"Found: {colors_found(looked_at)}."
    )


def _palettes_differ(paths: Sequence[Path]) -> str | None:
    """Two labels in which one number has two colours."""
    seen: dict[int, tuple[str, tuple[int, ...]]] = {}
    for path in paths:
        for number, color in palette_used(path).items():
            other, its = seen.setdefault(number, (path.name, color))
            if its != color:
                return f"{number} is {_color(its)} in {other}, {_color(color)} in {path.name}"
    return None


def _color(color: Sequence[int]) -> str:
    return " ".join(map(str, color))


def _refuse_masks(folder: Path, pairs: Sequence[Files]) -> None:
    """Raise `DataError` if no label holds anything but 0 and 255: masks, of which only 0 would be learned.

    One picture may well have just background and void, hence all are asked; the first other class ends it.
    """
    masks: list[Path] = []
    for pair in pairs:
        try:
            found = _values(pair.labels["label"])
        except FcnliteError:
            continue  # check() tells what is wrong with this file
        if found - {0, VOID}:
            return
        if VOID in found:
            masks.append(pair.labels["label"])
    if masks:
        raise DataError(
            f"{folder}: the labels hold only 0 and 255 ({masks[0].name} and {len(masks) - 1} others), and "
            "255 means void, which is not learned; if they are masks, give binary_masks=True: 255 is class 1."
        )


def _count_classes(folder: Path, pairs: Sequence[Files], skip_bad: bool) -> int:
    """The largest class number in the labels, plus one; with `skip_bad` in those that do not look blended."""
    paths = [pair.labels["label"] for pair in pairs]
    found, problems = survey(lambda path: (path, Counts.of(read_label(path))), paths)
    if not skip_bad or not found:
        complain(f"labels in {folder}", problems)
    each = [counts for _, counts in found]
    what = blended(Counts.total(each))
    if what is not None:
        bad = [path.name for path, counts in found if blended(counts) is not None]
        each = [counts for counts in each if blended(counts) is None]
        if not skip_bad or not each or blended(Counts.total(each)) is not None:
            names = f" ({', '.join(bad[:3])}{f' and {len(bad) - 3} more' if len(bad) > 3 else ''})" if bad else ""
            raise DataError(
                f"{folder}: the classes cannot be counted: {what}, so that the labels were anti-aliased, resized "
                f"smoothly or saved with losses (JPEG){names}; {REMEDY}. If they are right, say how many classes there "
                "are (classes=N)."
            )
    counts = Counts.total(each)
    count = max(set(np.flatnonzero(counts.all).tolist()) - {VOID}, default=0) + 1
    if count < 2:
        raise DataError(f"{folder}: all labels are class 0, which leaves nothing to learn; give labels from 0 up.")
    return count
