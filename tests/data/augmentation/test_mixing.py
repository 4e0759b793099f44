"""A part of a second picture over the first: CutMix and ClassMix."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from fcnlite.data.augmentation import Augment, Streams, augment, augmented
from fcnlite.data.sample import Sample
from fcnlite.description.model_info import Preprocessing
from tests.data.augmentation.helpers import COLORS, painted

PREPROCESSING = Preprocessing()


def plain(value: int) -> Sample:
    return painted(np.full((20, 30), value, np.uint8))


def striped(index: int) -> Sample:
    """Four classes of its own and void, in columns."""
    label = np.repeat([4 * index, 4 * index + 1, 4 * index + 2, 4 * index + 3, 255], 6).astype(np.uint8)
    return painted(np.tile(label, (20, 1)))


def test_cutmix_puts_a_rectangle_over() -> None:
    shares, partners = [], Counter()
    for epoch in range(300):
        out = augmented(plain, 5, Augment(crop=(20, 30), cutmix=1.0), Streams(0, epoch, 2), PREPROCESSING)
        assert np.array_equal(out.image, COLORS[out.label])
        above = out.label != 2
        rows, columns = (np.flatnonzero(above.any(axis=axis)) for axis in (1, 0))
        assert above.sum() == len(rows) * len(columns)
        shares.append(above.mean())
        partners.update(np.unique(out.label[above]).tolist())
    assert set(partners) == {0, 1, 3, 4} and min(partners.values()) > 40
    # Along an axis, a side s at a uniform centre covers s - s²/4 on average; a = s² is uniform: 1/2 - 1/5 + 1/48.
    assert np.mean(shares) == pytest.approx(0.321, abs=0.04) and max(shares) > 0.8


def test_classmix_puts_half_of_the_classes_over() -> None:
    counts = Counter()
    for epoch in range(200):
        out = augmented(striped, 2, Augment(crop=(20, 30), classmix=1.0), Streams(0, epoch, 1), PREPROCESSING)
        first, second = striped(1), striped(0)
        taken = {value for value in np.unique(out.label).tolist() if value < 4}
        assert len(taken) == 2
        mask = np.isin(second.label, list(taken))
        np.testing.assert_array_equal(out.label, np.where(mask, second.label, first.label))
        np.testing.assert_array_equal(out.image, np.where(mask[:, :, None], second.image, first.image))
        counts.update(taken)
    assert min(counts.values()) > 70
    void = painted(np.full((20, 30), 255, np.uint8))
    only = augmented(
        lambda i: void if i else plain(3), 2, Augment(crop=(20, 30), classmix=1.0), Streams(0, 0, 0), PREPROCESSING
    )
    assert (only.label == 3).all()


@pytest.mark.parametrize("name", ["cutmix", "classmix"])
def test_both_pictures_are_changed_by_the_list_before(name: str) -> None:
    settings = Augment(crop=(12, 12), flip=True, brightness=0.3, **{name: 1.0})
    single = Augment(crop=(12, 12), flip=True, brightness=0.3)
    for epoch in range(10):
        streams = Streams(0, epoch, 0)
        partner, others = streams.partner(3)
        assert others.of("flip").random() != streams.of("flip").random()
        first = augment(striped(0), single, streams, PREPROCESSING)
        second = augment(striped(partner), single, others, PREPROCESSING)
        out = augmented(striped, 3, settings, streams, PREPROCESSING)
        from_second = (out.image == second.image).all(axis=2) & (out.label == second.label)
        from_first = (out.image == first.image).all(axis=2) & (out.label == first.label)
        assert (from_first | from_second).all()
        assert not from_first.all() or not from_second.any()


def test_mixes_happen_with_their_probabilities_and_never_both() -> None:
    read: list[int] = []

    def reading(index: int) -> Sample:
        read.append(index)
        return striped(index)

    settings = Augment(crop=(20, 30), cutmix=0.25, classmix=0.25)
    for epoch in range(400):
        augmented(reading, 4, settings, Streams(0, epoch, 3), PREPROCESSING)
    assert 150 < len(read) - 400 < 250
    assert read.count(3) == 400


def test_all_pictures_and_label_maps_are_mixed_alike() -> None:
    def two(index: int) -> Sample:
        label = striped(index).label
        return Sample({"data": COLORS[label], "depth": label.astype(np.uint16)}, {"sem": label, "geo": label // 2}, "x")

    kind = Preprocessing(others={"depth": Preprocessing(color="DEPTH", mean=(7.0,), bits=16)})
    for name in ("cutmix", "classmix"):
        out = augmented(two, 2, Augment(crop=(20, 30), **{name: 1.0}), Streams(0, 1, 0), kind)
        sem = out.labels["sem"]
        assert np.array_equal(out.labels["geo"], sem // 2) and np.array_equal(out.images["depth"], sem)
        assert np.array_equal(out.images["data"], COLORS[sem])
        assert (sem >= 4).any()
