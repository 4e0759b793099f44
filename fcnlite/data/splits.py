"""Which pictures of a folder are trained on and which are held out for validation."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from fcnlite.data.problems import complain
from fcnlite.errors import DataError
from fcnlite.files import read_text

SPLITS = ("train", "val")
DEFAULT_VAL = 0.2
"""The fraction held out."""


def choose(names: set[str], root: Path, val: float | None, split: str) -> set[str]:
    """The names that belong to `split`, never none of them."""
    if val is None and any((root / f"{each}.txt").is_file() for each in SPLITS):
        splits = _by_list(names, root)
        reason = "as the split files have it"
    else:
        fraction = DEFAULT_VAL if val is None else val
        if not 0 <= fraction < 1:
            raise DataError(f"data set 'folder': val is {fraction}; expected a fraction from 0 to below 1.")
        kept_back = held_out(names, fraction)
        splits = {"train": names - kept_back, "val": kept_back}
        reason = f"with {len(names)} pictures and val={fraction:g}"
    if not splits[split]:
        raise DataError(f"{root}: the split {split!r} is empty {reason}; add pictures or change the split.")
    return splits[split]


def held_out(names: set[str], fraction: float) -> set[str]:
    """The names whose hash falls into the lowest `fraction`; at least one, unless `fraction` is 0."""

    def place(name: str) -> float:
        return int.from_bytes(hashlib.sha256(os.fsencode(name)).digest()[:8], "big") / 2**64

    chosen = {name for name in names if place(name) < fraction}
    return chosen or ({min(names, key=place)} if fraction > 0 else set())


def _by_list(names: set[str], root: Path) -> dict[str, set[str]]:
    """The names in root/train.txt and root/val.txt; a list that is missing has all that the other leaves."""
    lists = {each: root / f"{each}.txt" for each in SPLITS}
    splits = {each: set(lines(path)) for each, path in lists.items() if path.is_file()}
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


def lines(path: Path) -> list[str]:
    """The lines of a text file, stripped, without empty ones."""
    return [line.strip() for line in read_text(path).splitlines() if line.strip()]
