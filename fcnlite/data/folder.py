"""Pictures of your own: a directory of images and one of label PNGs, matched by name."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fcnlite.data.dataset import VOID
from fcnlite.data.pairs import Pair, PairDataset, plain_values
from fcnlite.data.palette import voc_colors
from fcnlite.data.pictures import PNG_ONLY, SUFFIXES, read_label
from fcnlite.data.problems import complain, survey
from fcnlite.errors import DataError, FcnliteError
from fcnlite.files import cannot_read, read_text

DEFAULT_VAL = 0.2


class Folder(PairDataset):
    """Pairs of files in two directories, which may have subdirectories (the same ones on both sides).

    `images`, `labels`: the directories; relative ones are looked up in `root`.
    `classes`: the names of the classes, or how many there are. Without it the names are the lines of
    root/classes.txt; without that file the largest label number found, plus one, is the count.
    `val`: the fraction held out for validation. A picture is held out or not by a hash of its name, so that
    adding pictures moves none of the others. Without it root/train.txt and root/val.txt list the names, one a
    line (if there is only one of the two, the other split has all the rest); without these files it is 0.2.
    `binary_masks`: the labels hold 0 and 255, and 255 is class 1, not void.
    Raises `DataError` for what is wrong with names, options and splits; `check()` reads the files.
    """

    splits = ("train", "val")

    def __init__(
        self,
        split: str,
        root: str | os.PathLike[str] | None = None,
        *,
        images: str | os.PathLike[str] = "images",
        labels: str | os.PathLike[str] = "labels",
        classes: int | Sequence[str] | None = None,
        val: float | None = None,
        binary_masks: bool = False,
    ) -> None:
        if root is None:
            raise DataError("data set 'folder' needs its root: the folder that holds images/ and labels/.")
        folder = Path(root)
        pairs = _pairs(folder / images, folder / labels)
        chosen = _split({pair.name for pair in pairs}, folder, val, split)
        names = _class_names(classes, folder / "classes.txt")
        values: Mapping[int, int]
        if binary_masks:
            names = names or ("background", "foreground")
            if len(names) != 2:
                raise DataError(
                    f"data set 'folder': binary_masks needs 2 classes, but {len(names)} are given."
                )
            values = {0: 0, 255: 1}
        else:
            _refuse_masks(folder / labels, pairs)
            names = names or _numbered(_count_classes(folder / labels, pairs))
            values = plain_values(len(names))
        kept = [pair for pair in pairs if pair.name in chosen]
        super().__init__("folder", split, names, voc_colors(len(names)), kept, values)


def _pairs(images: Path, labels: Path) -> list[Pair]:
    """All pairs in the two directories, by name; what has no partner or two is told in one `DataError`."""
    pictures, others = _by_name(images), _by_name(labels)
    if not pictures:
        raise DataError(f"{images}: holds no pictures ({', '.join(SUFFIXES)}); put the images there.")
    pairs: list[Pair] = []
    problems: list[str] = []
    for name, found in pictures.items():
        wanted = [path for path in others.get(name, []) if path.suffix.lower() == ".png"]
        if len(found) > 1:
            problems.append(f"{found[0]}: {found[1].name} has the same name; rename or remove one of them.")
        elif wanted:
            pairs.append(Pair(name, found[0], wanted[0]))
        elif name in others:
            problems.append(f"{others[name][0]}: is no PNG; {PNG_ONLY}.")
        else:
            problems.append(f"{found[0]}: has no label {labels / name}.png; add it or take the picture out.")
    problems += [
        f"{others[name][0]}: no picture in {images} has this name; add it or take the label out."
        for name in others
        if name not in pictures
    ]
    complain("data set 'folder'", problems)
    return pairs


def _by_name(folder: Path) -> dict[str, list[Path]]:
    """The picture files below `folder` by their paths in it without suffix; not the hidden ones."""
    if not folder.is_dir():
        raise DataError(
            f"{folder}: is no directory; data set 'folder' needs one of images and one of label PNGs."
        )
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


def _split(names: set[str], root: Path, val: float | None, split: str) -> set[str]:
    """The names that belong to `split`, never none of them."""
    if val is None and any((root / f"{each}.txt").is_file() for each in Folder.splits):
        splits = _splits_by_list(names, root)
        reason = "as the split files have it"
    else:
        fraction = DEFAULT_VAL if val is None else val
        if not 0 <= fraction < 1:
            raise DataError(f"data set 'folder': val is {fraction}; expected a fraction from 0 to below 1.")
        held_out = _held_out(names, fraction)
        splits = {"train": names - held_out, "val": held_out}
        reason = f"with {len(names)} pictures and val={fraction:g}"
    if not splits[split]:
        raise DataError(f"{root}: the split {split!r} is empty {reason}; add pictures or change the split.")
    return splits[split]


def _held_out(names: set[str], fraction: float) -> set[str]:
    """The names whose hash falls into the lowest `fraction`; at least one, unless `fraction` is 0."""

    def place(name: str) -> float:
        return int.from_bytes(hashlib.sha256(os.fsencode(name)).digest()[:8], "big") / 2**64

    chosen = {name for name in names if place(name) < fraction}
    return chosen or ({min(names, key=place)} if fraction > 0 else set())


def _splits_by_list(names: set[str], root: Path) -> dict[str, set[str]]:
    """The names in root/train.txt and root/val.txt; a list that is missing has all that the other leaves."""
    lists = {each: root / f"{each}.txt" for each in Folder.splits}
    splits = {each: set(_lines(path)) for each, path in lists.items() if path.is_file()}
    problems = [
        f"{lists[each]}: lists {name!r}, but no pair has this name (without suffix); mend the list."
        for each in splits
        for name in sorted(splits[each] - names)
    ]
    problems += [
        f"{lists['val']}: lists {name!r}, as {lists['train']} does; take it out of one of them."
        for name in sorted(splits.get("train", set()) & splits.get("val", set()))
    ]
    complain(f"split files in {root}", problems)
    for each, other in (("train", "val"), ("val", "train")):
        if each not in splits:
            splits[each] = names - splits[other]
    return splits


def _lines(path: Path) -> list[str]:
    """The lines of a text file, stripped, without empty ones."""
    return [line.strip() for line in read_text(path).splitlines() if line.strip()]


def _class_names(classes: int | Sequence[str] | None, listing: Path) -> tuple[str, ...]:
    """The names that the option or the file `listing` gives; none if neither does."""
    if isinstance(classes, str):
        raise DataError(f"data set 'folder': classes is {classes!r}; expected a count or a list of names.")
    if classes is None:
        if not listing.is_file():
            return ()
        classes = _lines(listing)
    count = classes if isinstance(classes, int) else len(classes)
    if not 2 <= count <= VOID:
        raise DataError(
            f"data set 'folder': {count} classes are given (option or {listing}); expected 2 to {VOID}."
        )
    return _numbered(classes) if isinstance(classes, int) else tuple(classes)


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(f"class {number}" for number in range(count))


def _values(path: Path) -> set[int]:
    """The numbers in one label file."""
    return set(np.unique(read_label(path)).tolist())


def _refuse_masks(folder: Path, pairs: Sequence[Pair]) -> None:
    """Raise `DataError` if no label holds anything but 0 and 255: masks, of which only 0 would be learned.

    One picture may well have just background and void, hence all are asked; the first other class ends it.
    """
    masks: list[Path] = []
    for pair in pairs:
        try:
            found = _values(pair.label)
        except FcnliteError:
            continue  # check() tells what is wrong with this file
        if found - {0, VOID}:
            return
        if VOID in found:
            masks.append(pair.label)
    if masks:
        raise DataError(
            f"{folder}: the labels hold only 0 and 255 ({masks[0].name} and {len(masks) - 1} others), and "
            "255 means void, which is not learned; if they are masks, give binary_masks=True: 255 is class 1."
        )


def _count_classes(folder: Path, pairs: Sequence[Pair]) -> int:
    """The largest class number in the labels, plus one."""
    found, problems = survey(_values, [pair.label for pair in pairs])
    complain(f"labels in {folder}", problems)
    count = max(set().union(*found) - {VOID}, default=0) + 1
    if count < 2:
        raise DataError(
            f"{folder}: all labels are class 0, which leaves nothing to learn; give labels from 0 up."
        )
    return count
