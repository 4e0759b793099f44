"""What every transform of augmentation has: a name, values with their text form, and a way to draw its change."""

from __future__ import annotations

import math
import typing
from abc import ABC, abstractmethod
from dataclasses import MISSING, dataclass, fields
from typing import ClassVar

import numpy as np

from fcnlite.data.augmentation.change import Change
from fcnlite.data.dataset import Dataset
from fcnlite.data.sample import Sample
from fcnlite.description.model_info import Preprocessing
from fcnlite.errors import DataError


@dataclass(frozen=True)
class Transform(ABC):
    """One entry of the list of augmentation, such as `scale=0.5:2`. Its fields are the values, in order.

    Raises `DataError` for values out of range, as soon as it is made.
    """

    name: ClassVar[str]
    form: ClassVar[str]
    """The entry as help shows it, such as `scale=LOW:HIGH`."""
    example: ClassVar[str]
    about: ClassVar[str]
    """What it does, in a few words."""
    shared: ClassVar[bool] = False
    """Whether it draws from one stream with others, in the order of the registry, instead of from its own."""
    draws_when_absent: ClassVar[int] = 0
    """The numbers of the shared stream that are drawn where the list does not have it, for those that come later."""

    @classmethod
    def of(cls, text: str) -> Transform:
        """The transform with the values in `text`, what follows `=` in its entry: `:` is between them."""
        hints = typing.get_type_hints(cls)
        names = [each.name for each in fields(cls)]
        required = sum(each.default is MISSING for each in fields(cls))
        parts = text.split(":") if text else []
        try:
            if not required <= len(parts) <= len(names):
                raise ValueError
            values = {name: hints[name](part) for name, part in zip(names, parts, strict=False)}
        except ValueError:
            entry = f"{cls.name}={text}" if text else cls.name
            raise DataError(f"augmentation {entry}: expected {cls.form}, such as {cls.example}.") from None
        return cls(**values)

    def __str__(self) -> str:
        """The entry, whose values `of` reads back; values at the end that are defaults are left out."""
        values = [(getattr(self, each.name), each.default) for each in fields(self)]
        while values and values[-1][0] == values[-1][1]:
            values.pop()
        texts = (repr(value).removesuffix(".0") if isinstance(value, float) else str(value) for value, _ in values)
        return self.name + ("=" + ":".join(texts) if values else "")

    def expect(self, holds: bool, expected: str) -> None:
        """Raise `DataError` unless the condition holds; `expected` completes the sentence."""
        numbers = [getattr(self, each.name) for each in fields(self)]
        if not (holds and all(math.isfinite(each) for each in numbers if isinstance(each, int | float))):
            raise DataError(f"augmentation {self}: expected {expected}.")

    def check(self, dataset: Dataset, crop: tuple[int, int] | None) -> None:  # noqa: B027 - most have nothing to check
        """Raise `DataError` where it cannot be applied to the pictures of `dataset` that are cropped to `crop`."""

    def varies(self, size: tuple[int, int]) -> bool:
        """Whether pictures of this height and width get several sizes, unless they are cropped."""
        return False


@dataclass(frozen=True)
class Single(Transform):
    """A transform that changes a picture by itself."""

    @abstractmethod
    def draw(self, change: Change, rng: np.random.Generator) -> None:
        """Draw the random numbers for one sample and add to its `change`."""


@dataclass(frozen=True)
class Color(Single):
    """A transform of red, green and blue, which only photographs have."""

    def check(self, dataset: Dataset, crop: tuple[int, int] | None) -> None:
        for name in dataset.pictures:
            of_picture = dataset.preprocessing.of(name)
            if not is_photograph(of_picture) and of_picture.color != "DEPTH":
                raise DataError(
                    f"augmentation {self}: changes colours, and the pictures of data set {dataset.name!r} are not gray "
                    "or RGB of 8 bits; leave it out. Those for all pictures are brightness, contrast, noise and blur."
                )


@dataclass(frozen=True)
class Mix(Transform):
    """A transform that puts a part of a second picture of the data set, and of its labels, over the first."""

    probability: float

    def __post_init__(self) -> None:
        self.expect(0 < self.probability <= 1, "a probability above 0, at most 1")

    def check(self, dataset: Dataset, crop: tuple[int, int] | None) -> None:
        if crop is None:
            raise DataError(
                f"augmentation {self}: puts a part of one picture over another, so both need one size; add "
                "crop=HEIGHT:WIDTH."
            )
        if len(dataset) < 2:
            raise DataError(
                f"augmentation {self}: needs a second picture, and data set {dataset.name!r} ({dataset.split}) has "
                "one; leave it out."
            )

    @abstractmethod
    def mask(self, first: Sample, second: Sample, rng: np.random.Generator) -> np.ndarray:
        """Draw which pixels come from `second`: H×W bool. Both samples have one height and width."""


def is_photograph(preprocessing: Preprocessing) -> bool:
    """Whether the pictures are gray or RGB of 8 bits."""
    return preprocessing.bits == 8 and preprocessing.color in ("BGR", "RGB", "GRAY")
