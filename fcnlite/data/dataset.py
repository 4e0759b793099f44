"""What every data set is: a sequence of labelled pictures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fcnlite.data.problems import complain, survey

VOID = 255
"""The label of pixels that are neither learned nor scored."""


@dataclass(frozen=True)
class Sample:
    """One labelled picture."""

    image: np.ndarray
    """H×W×3 uint8, RGB."""
    label: np.ndarray
    """H×W uint8: the class of each pixel, or `VOID`."""
    name: str


class Dataset(ABC):
    """A sequence of samples; reading one is safe from several threads at a time."""

    splits: ClassVar[tuple[str, ...]]

    def __init__(
        self, name: str, split: str, classes: tuple[str, ...], colors: tuple[tuple[int, int, int], ...]
    ) -> None:
        self.name = name
        self.split = split
        self.classes = classes
        self.colors = colors
        """(red, green, blue) of each class, for display."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, index: int) -> Sample: ...

    def check(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Read every sample once, in a few threads; raise one `DataError` that lists those of no use.

        Pictures are decoded too: a header tells the size but not that the file ends halfway.
        `progress(done, total)` is called in the calling thread after each sample.
        """

        def read(index: int) -> None:
            self[index]  # not returned: the pictures of a whole set need not fit into memory

        _, problems = survey(read, range(len(self)), progress)
        complain(f"data set {self.name!r} ({self.split})", problems)
