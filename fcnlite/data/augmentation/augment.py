"""Augmenting samples: one changed by itself, or with a part of a second one over it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fcnlite.data.augmentation.base import Mix
from fcnlite.data.augmentation.change import Change
from fcnlite.data.augmentation.registry import SINGLE
from fcnlite.data.augmentation.settings import Augment
from fcnlite.data.augmentation.streams import Streams
from fcnlite.data.sample import Sample
from fcnlite.description.model_info import Preprocessing


def augmented(
    read: Callable[[int], Sample], count: int, settings: Augment, streams: Streams, preprocessing: Preprocessing
) -> Sample:
    """Sample `streams.index` of a data set after the list of `settings`.

    `read` returns a sample by its index, from 0 to `count` − 1; where the list mixes, a second sample is read.
    """
    first = augment(read(streams.index), settings, streams, preprocessing)
    mix = _drawn(settings, streams)
    if mix is None:
        return first
    index, others = streams.partner(count)
    second = augment(read(index), settings, others, preprocessing)
    return mixed(first, second, mix.mask(first, second, streams.of(mix.name)))


def augment(sample: Sample, settings: Augment, streams: Streams, preprocessing: Preprocessing) -> Sample:
    """`sample` after the transforms that change a sample by itself; see `Change.applied`."""
    change, shared = Change(sample), streams.of()
    for kind in SINGLE:
        transform = settings.get(kind)
        if isinstance(transform, kind):
            transform.draw(change, shared if kind.shared else streams.of(kind.name))
        else:
            shared.random(kind.draws_when_absent)
    return change.applied(preprocessing)


def mixed(first: Sample, second: Sample, mask: np.ndarray) -> Sample:
    """`first` with the pictures and labels of `second` where `mask`, H×W bool, is true."""
    images = {name: _over(image, second.images[name], mask) for name, image in first.images.items()}
    labels = {name: _over(label, second.labels[name], mask) for name, label in first.labels.items()}
    return Sample(images, labels, first.name)


def _over(below: np.ndarray, above: np.ndarray, mask: np.ndarray) -> np.ndarray:
    both = below.copy()
    np.copyto(both, above, where=mask.reshape(mask.shape + (1,) * (below.ndim - 2)))
    return both


def _drawn(settings: Augment, streams: Streams) -> Mix | None:
    """Draw how the sample is mixed: one of the list's mixes, each with its probability, or None."""
    if not settings.mixes:
        return None
    left = streams.of("mix").random()
    for mix in settings.mixes:
        if left < mix.probability:
            return mix
        left -= mix.probability
    return None
