"""Pairs the pictures of a folder with their labels: files with equal names, in subfolders with equal names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from fcnlite.data.blending import REMEDY
from fcnlite.data.file_dataset import SampleFiles, picture_and_label
from fcnlite.data.label_files import LOSSLESS, LOSSLESS_ONLY
from fcnlite.data.pictures import SUFFIXES
from fcnlite.errors import DataError
from fcnlite.files import cannot_read

_MOST_FOLDERS = 100_000
"""The greatest number of subfolders that are read: links can multiply folders without bound."""


class Naming(NamedTuple):
    """The naming of the files of a pair: a shared name, then a suffix before the extension such as `.png`."""

    image_suffix: str = ""
    label_suffix: str = ""
    lossless_labels: bool = True
    """Whether labels must be PNG or TIFF."""


def find_pairs(images: Path, labels: Path, naming: Naming) -> tuple[list[SampleFiles], list[str]]:
    """Find all pairs in the two directories, and the problems: files without a partner or with several.

    Links to directories are followed. Raises `DataError` if there are no pictures.
    """
    pictures, others, broken = _both(images, labels, naming)
    if not pictures:
        raise DataError(f"{images}: holds no pictures ({_expected(naming.image_suffix)}); put pictures there.")
    free = [name for name in others if name not in pictures]
    near = _NearMatches(free, [name for name in pictures if name not in others])
    pairs: list[SampleFiles] = []
    problems: list[str] = broken
    for name, found in pictures.items():
        fitting = _fitting(others.get(name, []), naming)
        if len(found) > 1:
            problems.append(f"{found[0]}: {found[1].name} has the same name; rename or remove one of them.")
        elif len(fitting) > 1:
            problems.append(f"{fitting[0]}: {fitting[1].name} has the same name; rename or remove one of them.")
        elif fitting:
            pairs.append(picture_and_label(name, found[0], fitting[0]))
        elif name in others:
            problems.append(
                f"{others[name][0]}: is neither PNG nor TIFF; {LOSSLESS_ONLY}: {REMEDY}. If it is a mask of dark "
                "and light, masks=threshold:128 reads it."
            )
        else:
            missing = f"has no label {labels / name}{naming.label_suffix}.png"
            hint = near.hint(name, others)
            problems.append(f"{found[0]}: {missing}; {hint or 'add it or remove the picture'}.")
    problems += [
        f"{others[name][0]}: no picture in {images} has this name; add it or remove the label."
        for name in free
        if not near.is_near(name)
    ]
    return pairs, problems


def _fitting(files: Sequence[Path], naming: Naming) -> Sequence[Path]:
    """Those of the label files of one name that can be used: PNGs, otherwise TIFFs, or any with threshold masks."""
    if not naming.lossless_labels:
        return files
    pngs = [path for path in files if path.suffix.lower() == ".png"]
    return pngs or [path for path in files if path.suffix.lower() in LOSSLESS]


def files_below(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """The files in `folder` and its sub-folders that have one of these suffixes, sorted; hidden ones are left out.

    Links to directories are followed. Raises `FileError` for a folder that cannot be read.
    """
    return sorted(
        path
        for entries in _directories(folder, None)
        for path in entries
        if path.suffix.lower() in suffixes and not path.name.startswith(".") and path.is_file()
    )


def _both(images: Path, labels: Path, naming: Naming) -> tuple[dict[str, list[Path]], dict[str, list[Path]], list[str]]:
    """Pictures and labels by name, and the problems of broken links."""
    for folder in (images, labels):
        if not folder.is_dir():
            option = "images" if folder == images else "labels"
            there = [each.name for each in _entries(folder.parent) if each.name.lower() == folder.name.lower()]
            near = f" ({folder.parent / there[0]} exists: give {option}={there[0]})" if there else ""
            raise DataError(
                f"{folder}: is not a directory{near}; data set 'folder' needs one for images and one for label PNGs."
            )
    same = images.resolve() == labels.resolve()
    found, broken = _files(images, None if same else labels)
    if same:
        other = found
        if naming.label_suffix:
            found = [each for each in found if not each[0].endswith(naming.label_suffix)]
        elif not naming.image_suffix:
            # Photographs and PNG labels share the directory.
            found = [each for each in found if each[1].suffix.lower() != ".png"]
            other = [each for each in other if each[1].suffix.lower() == ".png"]
    else:
        other, more = _files(labels, images)
        broken += more
    if same and naming.image_suffix and not naming.label_suffix:
        other = [each for each in other if not each[0].endswith(naming.image_suffix)]
    return _by_name(found, naming.image_suffix), _by_name(other, naming.label_suffix), broken


def _by_name(found: list[tuple[str, Path]], suffix: str) -> dict[str, list[Path]]:
    """The files whose names end in `suffix`, by the name before it."""
    named: dict[str, list[Path]] = {}
    for name, path in found:
        if name.endswith(suffix) and Path(name).name != suffix:
            named.setdefault(name.removesuffix(suffix), []).append(path)
    return named


def _files(folder: Path, without: Path | None) -> tuple[list[tuple[str, Path]], list[str]]:
    """The picture files below `folder` by their relative paths without extension, and the problems of broken links.

    Hidden files are left out, and so is the directory `without` if it is inside `folder`.
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
                broken.append(f"{path}: is a broken link (to {path.readlink()}); correct or remove it.")
    return sorted(found, key=lambda each: each[1]), broken


def _directories(folder: Path, skipped: Path | None) -> Iterator[list[Path]]:
    """The entries of `folder` and of each directory below it. Links are followed, except to a directory above them.

    Raises `DataError` if links make too many directories.
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


class _NearMatches:
    """Labels whose names differ from those of unpaired pictures only in suffix or case, and the suffixes that fit."""

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
        """The remedy for an unpaired picture; None if no label has a similar name."""
        if picture in self._found:
            label, image_suffix, label_suffix = self._found[picture]
            options = [("image_suffix", image_suffix), ("label_suffix", label_suffix)]
            given = " and ".join(f"{key}={value}" for key, value in options if value)
            return f"{labels[label][0]} exists: give {given}"
        if picture.lower() in self._small:
            return f"{labels[self._small[picture.lower()]][0]} exists: rename it, since case matters"
        return None

    def is_near(self, label: str) -> bool:
        """Whether the message of a picture names this label."""
        return label in self._labels


def _cuts(name: str) -> Iterator[tuple[str, str]]:
    """The ways to divide `name` into a name and a suffix, at its last separators; the longest name comes first."""
    yield name, ""
    start = name.rfind("/") + 1
    places = [found.start() for found in re.finditer(r"[_\-. ]", name) if found.start() > start]
    for place in places[::-1][:3]:
        # Digits alone number the pictures (img_1, img_2) and are not a suffix.
        if not re.fullmatch(r"[_\-. ]\d*", name[place:]):
            yield name[:place], name[place:]
