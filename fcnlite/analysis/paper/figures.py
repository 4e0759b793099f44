"""Pictures for the pages of experiments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fcnlite.arrays import Array
from fcnlite.data import Dataset
from fcnlite.data.sample import Sample
from fcnlite.segmentation.plots.label_maps import label_image
from fcnlite.segmentation.segmenter import Segmenter

GAP = 4
"""The white pixels between the pictures of a sheet."""
WIDTH = 900
"""The width in pixels that a sheet is enlarged towards, by a whole factor."""


def colored(label: Array, colors: Sequence[tuple[int, int, int]]) -> Array:
    """A label map H×W in the colours of its classes, H×W×3 uint8 RGB."""
    return np.asarray(label_image(np.asarray(label, np.uint8), colors).convert("RGB"))


def depth_picture(depth: Array) -> Array:
    """Distances H×W in gray, H×W×3 uint8: near is bright, and pixels without a measurement (0) are black."""
    known = depth > 0
    if not known.any():
        return np.zeros((*depth.shape, 3), np.uint8)
    near, far = float(depth[known].min()), float(depth[known].max())
    gray = np.where(known, 255 - 195 * (depth.astype(np.float64) - near) / max(far - near, 1), 0)
    return np.repeat(gray.astype(np.uint8)[:, :, None], 3, axis=2)


def predicted(segmenter: Segmenter, sample: Sample, dataset: Dataset) -> Array:
    """The first label map of a net for `sample`, in the colours of `dataset`."""
    return colored(segmenter(dict(sample.images)), dataset.colors)


def sheet(rows: Sequence[Sequence[Array]]) -> Array:
    """Pictures in rows, H×W×3 uint8 RGB with white between them; rows of another size than the first are left out."""
    strips: list[Array] = []
    for row in rows:
        gap = np.full((row[0].shape[0], GAP, 3), 255, np.uint8)
        parts = [part for picture in row for part in (picture, gap)][:-1]
        strip = np.concatenate(parts, axis=1)
        if not strips or strip.shape == strips[0].shape:
            strips += [strip, np.full((GAP, strip.shape[1], 3), 255, np.uint8)]
    whole = np.concatenate(strips[:-1])
    factor = max(1, WIDTH // whole.shape[1])
    enlarged: Array = whole.repeat(factor, axis=0).repeat(factor, axis=1)
    return enlarged
