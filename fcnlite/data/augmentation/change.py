"""The change of one sample: the geometry, the colours and the holes that the transforms of the list have drawn.

The transforms only draw; the change is applied once, in the order geometry, colours, holes. So however many transforms
a list has, each picture and each label map is resampled once.
"""

from __future__ import annotations

from functools import partial

from fcnlite.data.augmentation.geometry import Geometry
from fcnlite.data.augmentation.look import Look
from fcnlite.data.sample import VOID, Sample
from fcnlite.data.transforms import mean_pixel
from fcnlite.description.model_info import Preprocessing


class Change:
    """The change of `sample`, at first none."""

    def __init__(self, sample: Sample) -> None:
        self.sample = sample
        height, width = sample.label.shape
        self.geometry = Geometry(height, width)
        self.look = Look()
        self.holes: list[tuple[slice, slice]] = []
        """Rows and columns of the result that the mean pixel and `VOID` fill."""

    def applied(self, preprocessing: Preprocessing) -> Sample:
        """The changed sample.

        All pictures and label maps undergo the same geometry: pictures with bilinear interpolation, labels by nearest
        neighbour, so that labels get no new values except `VOID`. What a picture does not cover is the mean pixel of
        `preprocessing`, and `VOID` in the labels. Distances are resampled by nearest neighbour, since an average of a
        known and an unknown distance (0) has no meaning; their look stays.
        """
        images = {}
        for name, image in self.sample.images.items():
            kind = preprocessing.of(name)
            distances, fill = kind.color == "DEPTH", mean_pixel(kind)
            repaint = None if distances else partial(self.look.applied, preprocessing=kind)
            images[name] = self.geometry.placed(image, fill, smooth=not distances, repaint=repaint)
            for hole in self.holes:
                images[name][hole] = fill
        labels = {}
        for name, label in self.sample.labels.items():
            labels[name] = self.geometry.placed(label, VOID, smooth=False)
            for hole in self.holes:
                labels[name][hole] = VOID
        return Sample(images, labels, self.sample.name)
