"""Class-balanced crops: choose the place of a crop by a class, so that rare classes are seen more often."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite.data.augmentation.base import Single
from fcnlite.data.augmentation.change import Change
from fcnlite.data.augmentation.geometry import Span
from fcnlite.data.dataset import Dataset
from fcnlite.data.sample import VOID
from fcnlite.errors import DataError


@dataclass(frozen=True)
class ClassCrop(Single):
    """With `probability`, crop around a pixel of a class c ~ U{classes in the picture}.

    The pixel is drawn uniformly from those of c in the first label map, and the crop uniformly from those that show the
    pixel. A picture without a class, or smaller than the crop, keeps the place that `crop` has drawn.
    """

    name = "classcrop"
    form = "classcrop=P"
    example = "classcrop=0.5"
    about = "with probability P, crop around a pixel of a class drawn from those in the picture"

    probability: float

    def __post_init__(self) -> None:
        self.expect(0 < self.probability <= 1, "a probability above 0, at most 1")

    def draw(self, change: Change, rng: np.random.Generator) -> None:
        if rng.random() >= self.probability:
            return
        label, geometry = change.sample.label, change.geometry
        classes = np.flatnonzero(np.bincount(label.ravel(), minlength=VOID + 1)[:VOID])
        if not len(classes):
            return
        pixels = np.flatnonzero(label == rng.choice(classes))
        pixel = divmod(int(rng.choice(pixels)), label.shape[1])
        geometry.rows, geometry.columns = (
            _around(int((at + 0.5) * size / source), size, want, rng) if size > want else span
            for at, source, size, want, span in zip(
                pixel, geometry.source, geometry.size, geometry.out, (geometry.rows, geometry.columns), strict=True
            )
        )

    def check(self, dataset: Dataset, crop: tuple[int, int] | None) -> None:
        if crop is None:
            raise DataError(f"augmentation {self}: chooses the place of a crop; add crop=HEIGHT:WIDTH.")


def _around(at: int, have: int, want: int, rng: np.random.Generator) -> Span:
    """Draw, uniformly, `want` of `have` pixels that contain pixel `at`."""
    first, last = max(0, at - want + 1), min(at, have - want)
    return Span(int(rng.integers(first, last + 1)), 0, want)
