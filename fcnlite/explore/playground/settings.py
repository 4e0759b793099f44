"""The settings of a training, and the sentences for values that they cannot have.

The page, its address and the command have them as text: net=lite-8s, rate=0.05. Text that is left out has its default.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from fcnlite.data.augmentation import Augment
from fcnlite.errors import DataError, nearest

CHOICES: dict[str, tuple[str, ...]] = {
    "net": ("lite-32s", "lite-16s", "lite-8s", "shallow-8s", "shallow-4s"),
    "trunk": ("random", "classifier"),
    "batch_norm": ("yes", "no"),
    "upsampling": ("fixed", "learned", "random", "random-fixed"),
    "scores": ("zero", "random"),
    "normalization": ("VALID", "FULL", "BATCH_SIZE", "NONE"),
}
"""The values of the settings that are chosen from a list."""
RANGES: dict[str, tuple[float, float]] = {
    "rate": (0.0, 1000.0),
    "momentum": (0.0, 0.999),
    "batch": (1, 16),
    "pad": (1, 48),
    "size": (32, 128),
    "seed": (0, 9999),
}
"""The least and the largest value of each number."""


@dataclass(frozen=True)
class Settings:
    """What is trained, and how. `fault` is a fault of a case to solve, which the page does not show."""

    net: str = "shallow-4s"
    """Stages of VGG-16 with an eighth of its channels: five (lite) or three (shallow). 8s is the stride of the finest
    scores."""
    trunk: str = "random"
    """The initial weights of the trunk: random, or those of the shipped classifier of shapes."""
    batch_norm: str = "yes"
    upsampling: str = "fixed"
    """Bilinear and fixed, bilinear and learned, random and learned, or random and fixed."""
    scores: str = "zero"
    """The initial weights of the score layers."""
    normalization: str = "VALID"
    rate: float = 0.1
    momentum: float = 0.9
    batch: int = 4
    pad: int = 1
    """The pad of the first convolution."""
    size: int = 64
    """The height and width of the pictures, and of the crops of a folder's pictures."""
    augment: str = ""
    """Entries of `Augment.of`, separated by spaces."""
    seed: int = 0
    fault: str = ""

    @property
    def transforms(self) -> Augment:
        """The augmentation, which ends with pictures of one size."""
        return Augment.of([*self.augment.split(), f"crop={self.size}:{self.size}"])

    @property
    def shown(self) -> dict[str, Any]:
        """The settings that the page shows."""
        values = asdict(self)
        del values["fault"]
        return values

    def changed(self, values: Mapping[str, Any]) -> Settings:
        """These settings with other values, each as text or of its type.

        Raises `DataError`, in one sentence, for a name that is unknown and a value that is out of range.
        """
        known = {each.name: each.type for each in fields(self) if each.name != "fault"}
        read: dict[str, Any] = {}
        for name, value in values.items():
            if name not in known:
                raise DataError(f"unknown setting {name!r}; {nearest(str(name), known)}")
            read[name] = _READERS[str(known[name])](name, value)
        made = replace(self, **read)
        made.transforms  # noqa: B018 - raises its errors
        if made.trunk == "classifier" and made.batch_norm == "no":
            raise DataError("the trained trunk has BatchNorm: choose batch_norm=yes, or trunk=random.")
        return made


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > 200:
        raise DataError(f"{name} is {str(value)[:40]!r}; expected text of up to 200 characters.")
    if name == "augment":
        entries = value.replace(",", " ").split()
        if any(each.partition("=")[0] in ("crop", "classcrop") for each in entries):
            raise DataError(f"augment is {value!r}; the size is a setting of its own, so leave the crop out.")
        return " ".join(Augment.of(entries).entries)
    if value not in CHOICES[name]:
        raise DataError(f"{name} is {value!r}; expected {' or '.join(CHOICES[name])}.")
    return value


def _number(name: str, value: Any) -> float:
    low, high = RANGES[name]
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not low <= number <= high:
        raise DataError(f"{name} is {value!r}; expected a number from {low:g} to {high:g}.")
    return number


def _whole(name: str, value: Any) -> int:
    number = _number(name, value)
    if number != int(number):
        low, high = RANGES[name]
        raise DataError(f"{name} is {value!r}; expected a whole number from {low:g} to {high:g}.")
    return int(number)


_READERS: dict[str, Callable[[str, Any], Any]] = {"str": _text, "float": _number, "int": _whole}
