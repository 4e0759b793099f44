"""The list of augmentation: which transforms change training pictures, and how much."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from fcnlite.data.augmentation.base import Mix, Transform
from fcnlite.data.augmentation.crop import Crop
from fcnlite.data.augmentation.registry import TRANSFORMS
from fcnlite.data.dataset import Dataset
from fcnlite.errors import DataError, nearest

NONE, OFF = "none", "off"
"""In a list of edits: the entry that begins an empty list, and the value that removes an entry."""


class Augment:
    """The transforms of training pictures, each once, in the order in which they are applied.

        Augment(flip=True, scale=(0.5, 2), crop=(288, 384), brightness=0.5)
        Augment.of(["flip", "scale=0.5:2", "crop=288:384", "brightness=0.5"])

    By keyword, the value of a transform without values is True, of one with several a tuple; None, False or 0 leaves it
    out. Raises `DataError` for unknown names and values out of range.
    """

    def __init__(self, **values: Any) -> None:
        found = []
        for name, value in values.items():
            kind = _kind(name)
            if value:
                parts = () if value is True else value if isinstance(value, tuple | list) else (value,)
                try:
                    found.append(kind(*parts))
                except TypeError:
                    raise DataError(f"augmentation {name}: has the value {value!r}; expected {kind.form}.") from None
        self.transforms = _ordered(found)

    @staticmethod
    def of(entries: Sequence[str]) -> Augment:
        """The list of these entries, such as `flip` or `scale=0.5:2`. A name that occurs twice is a `DataError`."""
        made = Augment()
        made.transforms = _ordered(map(_parsed, entries))
        return made

    @property
    def entries(self) -> tuple[str, ...]:
        """The entries as text, which `of` reads back."""
        return tuple(map(str, self.transforms))

    @property
    def crop(self) -> tuple[int, int] | None:
        """Height and width of all pictures, if they are cropped."""
        return next(((each.height, each.width) for each in self.transforms if isinstance(each, Crop)), None)

    @property
    def mixes(self) -> tuple[Mix, ...]:
        """The transforms that mix a second picture in."""
        return tuple(each for each in self.transforms if isinstance(each, Mix))

    def get(self, kind: type[Transform]) -> Transform | None:
        """The transform of this class, if the list has it."""
        return next((each for each in self.transforms if type(each) is kind), None)

    def changed(self, **values: Any) -> Augment:
        """This list with other values, as by keyword."""
        kept = [each for each in self.transforms if each.name not in values]
        made = Augment(**values)
        made.transforms = _ordered([*kept, *made.transforms])
        return made

    def check(self, dataset: Dataset) -> None:
        """Raise `DataError` for a transform that cannot be applied to the pictures of `dataset`, or without another."""
        for each in self.transforms:
            each.check(dataset, self.crop)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Augment) and self.transforms == other.transforms

    def __hash__(self) -> int:
        return hash(self.transforms)

    def __repr__(self) -> str:
        return f"Augment.of({list(self.entries)})"


def edited(entries: Sequence[str], edits: Sequence[str]) -> tuple[str, ...]:
    """The entries of a list after `edits`.

    An edit adds its entry, or replaces the entry of the same name. `NAME=off` removes an entry. `none`, which must come
    first, removes all entries.
    """
    base = [] if NONE in edits else list(entries)
    if NONE in edits[1:]:
        raise DataError(f"augmentation {NONE}: empties the list, so it comes first; put it before the other entries.")
    edits = [each for each in edits if each != NONE]
    removed = {each.partition("=")[0] for each in edits if each.partition("=")[2] == OFF}
    for name in removed:
        _kind(name)
    added = Augment.of([each for each in edits if each.partition("=")[2] != OFF])
    names = {each.name for each in added.transforms}
    if both := sorted(names & removed):
        raise DataError(f"augmentation {both[0]}: is added and removed; give one of them.")
    kept = [each for each in base if each.partition("=")[0] not in names | removed]
    return Augment.of([*kept, *added.entries]).entries


def _kind(name: str) -> type[Transform]:
    if name not in TRANSFORMS:
        raise DataError(f"augmentation {name!r} is unknown; {nearest(name, TRANSFORMS, shown=len(TRANSFORMS))}")
    return TRANSFORMS[name]


def _parsed(entry: str) -> Transform:
    name, _, text = entry.partition("=")
    return _kind(name).of(text)


def _ordered(transforms: Iterable[Transform]) -> tuple[Transform, ...]:
    """The transforms in the order of the registry. Raises `DataError` for two of one name and for too many mixes."""
    found: dict[str, Transform] = {}
    for each in transforms:
        if each.name in found:
            raise DataError(f"augmentation {each.name}: is in the list twice, {found[each.name]} and {each}; give one.")
        found[each.name] = each
    mixes = [each for each in found.values() if isinstance(each, Mix)]
    if sum(each.probability for each in mixes) > 1:
        raise DataError(
            f"augmentation {' '.join(map(str, mixes))}: a picture is mixed in one way, so the probabilities have a sum "
            "of at most 1; give smaller ones."
        )
    return tuple(found[name] for name in TRANSFORMS if name in found)
