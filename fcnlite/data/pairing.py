"""Which picture of a folder belongs to which label: files of one name, in sub-folders of one name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from fcnlite.data.blending import REMEDY
from fcnlite.data.file_dataset import SampleFiles, picture_and_label
from fcnlite.data.label_files import PNG_ONLY
from fcnlite.data.pictures import SUFFIXES
from fcnlite.errors import DataError
from fcnlite.files import cannot_read

_MOST_FOLDERS = 100_000
"""Sub-folders that are looked into: links can make more of them than there are."""


class Naming(NamedTuple):
    """How the files of a pair are called: the name that both share, and what follows it before `.png` and the like."""

    image_suffix: str = ""
    label_suffix: str = ""
    png_labels: bool = True
    """Whether labels must be PNG."""


def find_pairs(images: Path, labels: Path, naming: Naming) -> tuple[list[SampleFiles], list[str]]:
    """All pairs in the two directories, by name, and what has no partner, or two.

    Links to directories are followed. Raises `DataError` where there are no pictures.
    """
    pictures, others, broken = _both(images, labels, naming)
    if not pictures:
        raise DataError(f"{images}: holds no pictures ({_expected(naming.image_suffix)}); put the images there.")
    free = [name for name in others if name not in pictures]
    near = _Near(free, [name for name in pictures if name not in others])
    pairs: list[SampleFiles] = []
    problems: list[str] = broken
    for name, found in pictures.items():
        fitting = [path for path in others.get(name, []) if not naming.png_labels or path.suffix.lower() == ".png"]
        if len(found) > 1:
            problems.append(f"{found[0]}: {found[1].name} has the same name; rename or remove one of them.")
        elif len(fitting) > 1:
            problems.append(f"{fitting[0]}: {fitting[1].name} has the same name; rename or remove one of them.")
        elif fitting:
            pairs.append(picture_and_label(name, found[0], fitting[0]))
        elif name in others:
            problems.append(
                f"{others[name][0]}: is no PNG; {PNG_ONLY}: {REMEDY}. If it is a mask of dark and light, "
                "masks=threshold:128 reads it."
            )
        else:
            missing = f"has no label {labels / name}{naming.label_suffix}.png"
            hint = near.hint(name, others)
            problems.append(f"{found[0]}: {missing}; {hint or 'add it or take the picture out'}.")
    problems += [
        f"{others[name][0]}: no picture in {images} has this name; add it or take the label out."
        for name in free
        if not near.is_near(name)
    ]
    return pairs, problems


def _both(images: Path, labels: Path, naming: Naming) -> tuple[dict[str, list[Path]], dict[str, list[Path]], list[str]]:
    """Pictures and labels by name, and the links that lead nowhere."""
    for folder in (images, labels):
        if not folder.is_dir():
            option = "images" if folder == images else "labels"
            there = [each.name for each in _entries(folder.parent) if each.name.lower() == folder.name.lower()]
            near = f" ({folder.parent / there[0]} is there: give {option}={there[0]})" if there else ""
            raise DataError(
                f"{folder}: is no directory{near}; data set 'folder' needs one of images and one of label PNGs."
            )
    same = images.resolve() == labels.resolve()
    found, broken = _files(images, None if same else labels)
    if same:
        other = found
        if naming.label_suffix:
            found = [each for each in found if not each[0].endswith(naming.label_suffix)]
        elif not naming.image_suffix:
            # Photos and PNG labels side by side.
            found = [each for each in found if each[1].suffix.lower() != ".png"]
            other = [each for each in other if each[1].suffix.lower() == ".png"]
    else:
        other, more = _files(labels, images)
        broken += more
    if same and naming.image_suffix and not naming.label_suffix:
        other = [each for each in other if not each[0].endswith(naming.image_suffix)]
    return _by_name(found, naming.image_suffix), _by_name(other, naming.label_suffix), broken


def _by_name(found: list[tuple[str, Path]], suffix: str) -> dict[str, list[Path]]:
    """The files that end in `suffix`, by the name before it."""
    named: dict[str, list[Path]] = {}
    for name, path in found:
        if name.endswith(suffix) and Path(name).name != suffix:
            named.setdefault(name.removesuffix(suffix), []).append(path)
    return named


def _files(folder: Path, without: Path | None) -> tuple[list[tuple[str, Path]], list[str]]:
    """The picture files below `folder` by their paths in it without extension, and the links that lead nowhere.

    Hidden ones are left out, and what is in the directory `without` where that is inside `folder`.
    """
    found, broken = [], []
    skipped = without.resolve() if without is not None and without.resolve() != folder.resolve() else None
    for entries in _directories(folder, skipped):
        for path in entries:
            if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
                continue
            if path.is_file():
                found.append((path.relative_to(folder).with_suffix("").as_posix(), path))
            elif path.is_symlink() and not path.exists():
                broken.append(f"{path}: is a link to what is not there ({path.readlink()}); mend it or take it out.")
    return sorted(found, key=lambda each: each[1]), broken


def _directories(folder: Path, skipped: Path | None) -> Iterator[list[Path]]:
    """What is in `folder` and in each directory below it, through links too, but never into one that leads there.

    Raises `DataError` where links make too many.
    """
    waiting: list[tuple[Path, frozenset[tuple[int, int]]]] = [(folder, frozenset())]
    count = 0
    while waiting:
        directory, above = waiting.pop()
        try:
            status = directory.stat()
        except OSError as error:
            raise cannot_read(directory, error) from error
        here = (status.st_dev, status.st_ino)
        if here in above or directory.resolve() == skipped:
            continue
        count += 1
        if count > _MOST_FOLDERS:
            raise DataError(f"{folder}: has more than {_MOST_FOLDERS} sub-folders; its links may lead in circles.")
        entries = _entries(directory)
        yield entries
        inside = [each for each in entries if not each.name.startswith(".") and each.is_dir()]
        waiting += [(each, above | {here}) for each in inside]


def _entries(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir()) if directory.is_dir() else []
    except OSError as error:
        raise cannot_read(directory, error) from error


def _expected(suffix: str) -> str:
    return ", ".join(f"*{suffix}{each}" for each in SUFFIXES) if suffix else ", ".join(SUFFIXES)


class _Near:
    """Labels whose names are nearly those of pictures without a label, and the suffixes that make them equal."""

    def __init__(self, labels: list[str], pictures: list[str]) -> None:
        bases: dict[str, tuple[str, str]] = {}
        for label in labels:
            for base, suffix in _cuts(label):
                bases.setdefault(base, (label, suffix))
        self._small = {label.lower(): label for label in labels}
        self._found: dict[str, tuple[str, str, str]] = {}
        for picture in pictures:
            for base, suffix in _cuts(picture):
                if base in bases and (suffix or bases[base][1]):
                    label, label_suffix = bases[base]
                    self._found[picture] = (label, suffix, label_suffix)
                    break
        votes = Counter((image, label) for _, image, label in self._found.values())
        usual = votes.most_common(1)[0][0] if votes else None
        self._found = {name: found for name, found in self._found.items() if found[1:] == usual}
        self._labels = {label for label, *_ in self._found.values()}

    def hint(self, picture: str, labels: dict[str, list[Path]]) -> str | None:
        """What to do for a picture, if a label is near."""
        if picture in self._found:
            label, image_suffix, label_suffix = self._found[picture]
            options = [("image_suffix", image_suffix), ("label_suffix", label_suffix)]
            given = " and ".join(f"{key}={value}" for key, value in options if value)
            return f"{labels[label][0]} is there: give {given}"
        if picture.lower() in self._small:
            return f"{labels[self._small[picture.lower()]][0]} is there: rename it, since capitals count"
        return None

    def is_near(self, label: str) -> bool:
        """Whether a picture's message names this label."""
        return label in self._labels


def _cuts(name: str) -> Iterator[tuple[str, str]]:
    """`name` whole and cut before its last separators: what a name and a suffix may be, the longest name first."""
    yield name, ""
    start = name.rfind("/") + 1
    places = [found.start() for found in re.finditer(r"[_\-. ]", name) if found.start() > start]
    for place in places[::-1][:3]:
        # A suffix of digits alone tells pictures apart: img_1 and img_2.
        if not re.fullmatch(r"[_\-. ]\d*", name[place:]):
            yield name[:place], name[place:]
