"""Divides the pictures of a folder into training and validation splits."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from fcnlite.data.file_dataset import SampleFiles
from fcnlite.data.label_tables import Warn, find_table
from fcnlite.data.problems import raise_if_any
from fcnlite.errors import DataError, FileError, quoted
from fcnlite.files import read_text, reading

SPLITS = ("train", "val")
DEFAULT_VAL = 0.2
"""The fraction held out for validation."""

_BEGINNING = 1 << 16
"""The number of bytes that are compared before whole files."""


def divide_files(
    files: Sequence[SampleFiles], divided: Mapping[str, set[str]], warn: Warn
) -> dict[str, list[SampleFiles]]:
    """The files of each split, by the names of their splits; warns of pictures that are in both."""
    warn_of_shared({each.name: each.images["data"] for each in files}, divided, warn)
    return {split: [each for each in files if each.name in names] for split, names in divided.items()}


def divide(names: set[str], root: Path, val: float | None, split: str, warn: Warn) -> dict[str, set[str]]:
    """The names in each split. Raises `DataError` if `split` is empty."""
    lists = {} if val is not None else {each: find_table(root, f"{each}.txt", warn) for each in SPLITS}
    listed = {each: path for each, path in lists.items() if path is not None}
    if listed:
        splits = _by_list(names, root, listed)
        left = sorted(names - splits["train"] - splits["val"])
        if left:
            more = ", ..." if len(left) > 3 else ""
            warn(
                f"{len(left)} of the {len(names)} pairs in {root} are left out, since neither train.txt nor val.txt "
                f"lists them ({', '.join(left[:3])}{more})."
            )
        reason = "in the split files"
    else:
        fraction = DEFAULT_VAL if val is None else val
        if not 0 <= fraction < 1:
            raise DataError(f"option val is {fraction}; expected a fraction from 0 to below 1.")
        kept_back = held_out(names, fraction)
        splits = {"train": names - kept_back, "val": kept_back}
        reason = f"with {len(names)} pictures and val={fraction:g}"
    if not splits[split]:
        raise DataError(f"{root}: the split {split!r} is empty {reason}; add pictures or change the split.")
    return splits


def divide_as_found(names: set[str], root: Path, val: float | None, split: str, warn: Warn) -> dict[str, set[str]]:
    """As `divide`, but names that are all in sub-folders train and val (or valid) are divided by these.

    Names in a sub-folder test belong to no split.
    """
    sides = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
    found = {name: sides.get(name.partition("/")[0].lower(), "") if "/" in name else "" for name in names}
    if val is not None or not all(found.values()) or not {"train", "val"} <= set(found.values()):
        return divide(names, root, val, split, warn)
    return {each: {name for name in names if found[name] == each} for each in SPLITS}


def held_out(names: set[str], fraction: float) -> set[str]:
    """The names whose hashes are in the lowest `fraction` of the range; at least one name, unless `fraction` is 0."""

    def place(name: str) -> float:
        return int.from_bytes(hashlib.sha256(os.fsencode(name)).digest()[:8], "big") / 2**64

    chosen = {name for name in names if place(name) < fraction}
    return chosen or ({min(names, key=place)} if fraction > 0 else set())


def warn_of_shared(pictures: Mapping[str, Path], splits: Mapping[str, set[str]], warn: Warn) -> None:
    """Warn of validation pictures that are byte for byte equal to training pictures."""
    side = {name: each for each in SPLITS for name in splits[each]}
    groups: list[list[str]] = [sorted(side)]
    # Most files differ in size or in their first bytes, so few files are read completely.
    for key in (lambda path: path.stat().st_size, lambda path: _digest(path, _BEGINNING), _digest):
        groups = [part for group in groups for part in _parts(group, pictures, key) if len({side[n] for n in part}) > 1]
    shared = [name for group in groups for name in group if side[name] == "val"]
    if shared:
        first = next(group for group in groups)
        train, val = (next(name for name in first if side[name] == each) for each in SPLITS)
        warn(
            f"{len(shared)} of the {len(splits['val'])} validation pictures are byte for byte equal to training "
            f"pictures (such as {val}, which equals {train}): results on them say nothing about new pictures. "
            "Remove the copies, or list the names in train.txt and val.txt."
        )


def _parts(names: Iterable[str], pictures: Mapping[str, Path], key: Callable[[Path], object]) -> list[list[str]]:
    """The names in groups of equal key. Unreadable files are left out, since check() reports them."""
    parts: dict[object, list[str]] = defaultdict(list)
    for name in names:
        try:
            parts[key(pictures[name])].append(name)
        except (OSError, FileError):
            continue
    return [*parts.values()]


def _digest(path: Path, most: int = -1) -> bytes:
    """A hash of the first `most` bytes of a file, or of all."""
    with reading(path) as stream:
        return hashlib.sha256(stream.read(most)).digest()


def _by_list(names: set[str], root: Path, lists: Mapping[str, Path]) -> dict[str, set[str]]:
    """The names in root/train.txt and root/val.txt. If one list is missing, its split has all other names."""
    splits = {each: _listed(path, names) for each, path in lists.items()}
    problems = [
        f"{lists[each]}: lists {quoted(name)}, but no pair has this name (without suffix); correct the list."
        for each in splits
        for name in sorted(splits[each] - names)
    ]
    problems += [
        f"{lists['val']}: lists {quoted(name)}, as {lists['train']} does; remove it from one of them."
        for name in sorted(splits.get("train", set()) & splits.get("val", set()))
    ]
    raise_if_any(f"split files in {root}", problems)
    for each, other in (("train", "val"), ("val", "train")):
        if each not in splits:
            splits[each] = names - splits[other]
    return splits


def _listed(path: Path, names: set[str]) -> set[str]:
    """The names in a list, one per line, without comments."""
    lines = {line.strip() for line in read_text(path).splitlines()}
    return {line for line in lines if line in names or (line and not line.startswith("#"))}
