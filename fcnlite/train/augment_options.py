"""The options of the command line that edit the list of augmentation: --augment, and shorter ones for five entries."""

from __future__ import annotations

import argparse
import textwrap
from typing import Any

from fcnlite.data.augmentation import TRANSFORMS
from fcnlite.errors import TrainingError

_WORDS = (
    "The transforms that change training pictures, and their labels with them, at random: docs/augmentation.md shows "
    "each. The list begins with that of the recipe, or with flip; entries of --augment are added, or replace the one "
    "of the same name; NAME=off removes one, and none, first, removes all."
)
_SHORT: dict[str, dict[str, Any]] = {
    "crop": {"type": int, "nargs": 2, "metavar": ("HEIGHT", "WIDTH")},
    "scale": {"type": float, "nargs": 2, "metavar": ("LOW", "HIGH")},
    "brightness": {"type": float, "metavar": "X"},
    "flip": {"action": argparse.BooleanOptionalAction},
    "turn": {"action": argparse.BooleanOptionalAction},
}
"""The arguments of argparse for the entries that have an option of their own."""


def add_augmentation(to: argparse.ArgumentParser) -> None:
    """Add --augment, with all transforms in its help, and the options of single entries."""
    group = to.add_argument_group("augmentation", _table())
    words = "edit the list of transforms, such as --augment scale=0.5:2 flip brightness=0.5 classmix=0.5"
    group.add_argument("--augment", nargs="+", action="extend", metavar="ENTRY", help=words)
    for name, how in _SHORT.items():
        short = f"--augment {name}" + ("=…" if "metavar" in how else "")
        off = {"crop": "; 0 0 keeps pictures whole", "brightness": "; 0 for none"}.get(name, "")
        group.add_argument(f"--{name}", help=f"the same as {short}{off}", **how)


def augment_edits(given: argparse.Namespace) -> list[str]:
    """The edits of the list that the command line gives, see `augmentation.edited`.

    Raises `TrainingError` for an entry that two options give.
    """
    edits = list(given.augment)
    named = {each.partition("=")[0] for each in edits}
    for name in _SHORT:
        value = getattr(given, name)
        if value is None:
            continue
        if name in named:
            raise TrainingError(f"--{name} and --augment both give {name}; give one of them.")
        edits.append(_entry(name, value))
    return edits


def _entry(name: str, value: Any) -> str:
    if value in (False, 0) or (name, value) == ("crop", [0, 0]):
        return f"{name}=off"
    if value is True:
        return name
    parts = value if isinstance(value, list) else [value]
    return f"{name}={':'.join(map(str, parts))}"


def _table() -> str:
    """Every transform and what it does, below what a list is."""
    width = max(len(each.form) for each in TRANSFORMS.values())
    lines = [f"  {each.form:{width}}  {each.about}" for each in TRANSFORMS.values()]
    return "\n".join([*textwrap.wrap(_WORDS, 110), "", *lines])
