"""Samples, and a sample after a list of transforms."""

from __future__ import annotations

import numpy as np

from fcnlite.data.augmentation import Augment, Streams, augment
from fcnlite.data.sample import Sample
from fcnlite.description.model_info import Preprocessing

FILL = (1, 2, 3)
FILLING = Preprocessing(color="RGB", mean=FILL)
COLORS = np.random.default_rng(1).integers(0, 256, (256, 3), dtype=np.uint8)


def sample_of(image: np.ndarray, label: np.ndarray | None = None) -> Sample:
    """A sample of one picture, by default with labels that are all 0."""
    label = np.zeros(image.shape[:2], np.uint8) if label is None else label
    return Sample({"data": image}, {"label": label}, "x")


def painted(label: np.ndarray) -> Sample:
    """A sample whose picture shows each class in its colour."""
    return sample_of(COLORS[label], label)


def changed(
    sample: Sample, settings: Augment, rng: np.random.Generator, preprocessing: Preprocessing = FILLING
) -> Sample:
    """The sample after the list, with a seed from `rng`."""
    return augment(sample, settings, Streams(int(rng.integers(1 << 32)), 0, 0), preprocessing)
