"""What a data set consists of: pictures with their label maps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

VOID = 255
"""The label of pixels that are neither learned nor scored."""


@dataclass(frozen=True)
class Sample:
    """One scene: its picture or pictures, and its label map or maps, all of one height and width."""

    images: Mapping[str, np.ndarray]
    """By the blob that they are fed to, `data` where there is one: H×W×3 uint8 RGB, or H×W uint16 (gray, depth).

    In the order of the set's `pictures`, as are labels in that of its `labels`.
    """
    labels: Mapping[str, np.ndarray]
    """By the blob that they are fed to, `label` where there is one: H×W uint8, the class of each pixel or `VOID`."""
    name: str

    @property
    def image(self) -> np.ndarray:
        """The first picture."""
        return next(iter(self.images.values()))

    @property
    def label(self) -> np.ndarray:
        """The first label map."""
        return next(iter(self.labels.values()))
