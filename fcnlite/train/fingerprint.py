"""Fingerprints of the data of a run, by which a resumed run detects that its data have changed.

data.json in the folder of the run lists for each split the names of the samples, their sizes, and hashes of their
pictures and label maps as read; for generated samples it holds the parameters of the generator. The checkpoint holds a
hash of all this.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fcnlite.data import Dataset
from fcnlite.errors import FileError
from fcnlite.files import atomic_write, read_text

_SHOWN = 3
"""The number of names that a message lists."""


@dataclass(frozen=True)
class Fingerprint:
    """The JSON values that identify the samples of each split of a run."""

    splits: Mapping[str, Mapping[str, Any]]

    @staticmethod
    def of(train_set: Dataset, val_set: Dataset | None) -> Fingerprint:
        """The fingerprint of data sets that have been checked."""
        sets = {"train": train_set} | ({} if val_set is None else {"val": val_set})
        return Fingerprint({name: _of_split(dataset) for name, dataset in sets.items()})

    @property
    def digest(self) -> str:
        """A hash of the fingerprint, in hexadecimal."""
        text = json.dumps(self.splits, sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def write(self, path: Path) -> None:
        """Write the fingerprint to a file. Raises `FileError`."""
        with atomic_write(path) as temporary:
            temporary.write_text(json.dumps(self.splits), encoding="utf-8")

    @staticmethod
    def read(path: Path, digest: str) -> Fingerprint | None:
        """Read the fingerprint in a file; None unless it has this digest."""
        try:
            splits = json.loads(read_text(path))
        except (FileError, ValueError, RecursionError):
            return None
        if not isinstance(splits, dict) or not all(map(_is_split, splits.values())):
            return None
        found = Fingerprint(splits)
        return found if found.digest == digest else None

    def changes(self, now: Fingerprint) -> list[str]:
        """Describe the differences of `now`, in the splits that both have."""
        return [
            f"{split}: {change}"
            for split, before in self.splits.items()
            if split in now.splits
            for change in _changes(before, now.splits[split])
        ]


def _of_split(dataset: Dataset) -> dict[str, Any]:
    seen = dataset.statistics.samples
    rows = [list(seen[i]) for i in sorted(seen)] if dataset.statistics.covers(range(len(dataset))) else []
    return {"data": dataset.name, "count": len(dataset), "origin": dataset.origin, "samples": rows}


def _is_split(value: Any) -> bool:
    match value:
        case {"data": str(), "count": int(), "origin": str(), "samples": list(rows)}:
            return all(_is_row(row) for row in rows)
    return False


def _is_row(row: Any) -> bool:
    match row:
        case [str(), int(), int(), str(), str()]:
            return True
    return False


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    if before["data"] != now["data"]:
        return [f"data set {now['data']!r} instead of {before['data']!r}"]
    found = []
    if before["origin"] != now["origin"]:
        found.append(f"generated with {now['origin']} instead of {before['origin']}")
    if before["count"] != now["count"]:
        found.append(f"{now['count']} samples instead of {before['count']}")
    old, new = ({row[0]: row for row in each["samples"]} for each in (before, now))
    if not (old and new):
        return found
    both = [name for name in old if name in new]

    def differing(part: Callable[[Sequence[Any]], Any]) -> list[str]:
        return [name for name in both if part(old[name]) != part(new[name])]

    resized = differing(lambda row: row[1:3])
    for what, names in (
        ("added", [name for name in new if name not in old]),
        ("removed", [name for name in old if name not in new]),
        ("of another size", resized),
        ("with another picture", [name for name in differing(lambda row: row[3]) if name not in resized]),
        ("with another label map", [name for name in differing(lambda row: row[4]) if name not in resized]),
    ):
        if names:
            found.append(f"{len(names)} {what} ({_listed(names)})")
    if not found and before != now:
        found.append("the same samples in another order")
    return found


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
