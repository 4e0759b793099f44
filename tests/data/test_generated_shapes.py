"""Generated shapes: seeded, labelled as painted, and not distinguishable by colour."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite import data
from fcnlite.data.sample import Sample
from fcnlite.data.shapes import _SHAPE_CLASSES, _paint, _Shape, _Sun
from fcnlite.errors import DataError


def equal(first: Sample, second: Sample) -> bool:
    return np.array_equal(first.image, second.image) and np.array_equal(first.label, second.label)


def test_a_sample_depends_on_seed_split_and_index_alone() -> None:
    many, few = data.open("shapes", count=50), data.open("shapes", count=4)
    many[17]
    assert equal(many[3], few[3])
    others = [
        few[2],
        data.open("shapes", split="val")[3],
        data.open("shapes", split="test")[3],
        data.open("shapes", seed=1)[3],
    ]
    assert not any(equal(few[3], other) for other in others)


def test_form_classes_and_void() -> None:
    dataset = data.open("shapes", count=40, size=64)
    assert dataset.classes == ("background", "disc", "square", "triangle", "star", "cross")
    samples = list(dataset)
    assert len(samples) == 40
    for sample in samples:
        assert sample.image.shape == (64, 64, 3)
        assert sample.label.shape == (64, 64)
        assert sample.image.dtype == sample.label.dtype == np.uint8
    pixels = np.bincount(np.concatenate([sample.label.ravel() for sample in samples]), minlength=256)
    share = pixels / pixels.sum()
    assert share[0] > 0.5
    assert all(share[1:6] > 0.01)
    assert 0.02 < share[255] < 0.15
    assert pixels.sum() == pixels[[0, 1, 2, 3, 4, 5, 255]].sum()


def test_a_single_shape_is_whole_and_alone() -> None:
    classes = set()
    for sample in data.open("shapes", count=30, size=64, single=True):
        found = set(np.unique(sample.label)) - {0, 255}
        assert len(found) == 1
        classes |= found
        border = [sample.label[0], sample.label[-1], sample.label[:, 0], sample.label[:, -1]]
        assert not np.isin(np.concatenate(border), [*found]).any()
    assert classes == {1, 2, 3, 4, 5}


def test_a_scene_is_not_a_single_shape() -> None:
    with pytest.raises(DataError, match="a scene has many shapes"):
        data.open("shapes", scene=True, single=True)


def test_void_is_between_any_two_classes() -> None:
    for sample in data.open("shapes", count=20):
        label = sample.label.astype(int)
        for first, second in ((label[1:], label[:-1]), (label[:, 1:], label[:, :-1])):
            assert np.all((first == second) | (first == 255) | (second == 255))


@pytest.mark.parametrize("kind", _SHAPE_CLASSES, ids=lambda kind: kind.name)
def test_outlines_fit_the_unit_circle_and_measure_distance(kind) -> None:
    y, x = np.mgrid[-1.5:1.5:601j, -1.5:1.5:601j]
    distance = kind.outline(x, y)
    assert np.all(distance[np.hypot(x, y) > 1.01] > 0)
    assert distance[300, 300] < 0
    steepness = np.hypot(*np.gradient(distance, 3 / 600))[abs(distance) < 0.1]
    assert np.quantile(steepness, 0.05) > 0.95
    assert np.quantile(steepness, 0.95) < 1.05


def test_mean_colour_does_not_tell_the_class() -> None:
    """Each class's mean colour, over all its pixels, is near that of all shapes: colours are drawn alike."""
    sums, counts = np.zeros((6, 3)), np.zeros(6)
    for sample in data.open("shapes", count=200, size=64):
        for number in range(1, 6):
            pixels = sample.image[sample.label == number]
            sums[number] += pixels.sum(axis=0)
            counts[number] += len(pixels)
    means = sums[1:] / counts[1:, None]
    assert np.abs(means - means.mean(axis=0)).max() < 30


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 8}, "size is 8; expected 32 to 2048"),
        ({"size": 10**6}, "expected 32 to 2048"),
        ({"count": 0}, "count is 0"),
        ({"seed": -1}, "seed -1: expected"),
    ],
)
def test_options_out_of_range(options: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        data.open("shapes", **options)[0]


def test_checking_generates_nothing() -> None:
    data.open("shapes", count=10**9).check()


def test_no_sample_beyond_the_count() -> None:
    dataset = data.open("shapes", count=3)
    for index in (3, -1):
        with pytest.raises(IndexError):
            dataset[index]


def test_pictures_without_scenes_are_unchanged() -> None:
    """Trainings and published figures depend on them."""
    label = data.open("shapes", split="val")[3].label
    counts = np.bincount(label.ravel(), minlength=256)
    assert counts[[0, 1, 2, 3, 4, 5, 255]].tolist() == [6762, 0, 869, 197, 0, 757, 631]
    means = [data.open("shapes", seed=seed, size=size)[5].image.mean() for seed, size in ((0, 96), (7, 64))]
    assert means == pytest.approx([110.46, 97.01], abs=0.02)


def test_scenes_are_wide_and_hold_more_shapes_where_there_is_room() -> None:
    assert equal(data.open("shapes", scene=True, size=64, count=9)[3], data.open("shapes", scene=True, size=64)[3])
    borders = []
    for size in (64, 256):
        sample = data.open("shapes", split="test", scene=True, size=size)[0]
        assert sample.image.shape == (size, 3 * size // 2, 3)
        assert sample.label.shape == (size, 3 * size // 2)
        borders.append((sample.label == 255).sum() / size)
    assert borders[0] < borders[1] / 2  # as a share of the picture's height
    assert set(np.unique(sample.label)) == {0, 1, 2, 3, 4, 5, 255}
    assert sample.name == "scene-test-00000"


def test_shapes_of_a_scene_cast_shadows_that_are_no_part_of_them() -> None:
    """Background that is near a shape on the side away from the light is darker than on the other side."""
    height = width = 80
    sun = _Sun(1.0, 0.0)
    image, label = np.full((height, width, 3), 200, np.float32), np.zeros((height, width), np.uint8)
    _paint(np.random.default_rng(0), image, label, _Shape(1, 20, 40, 40), sun)
    assert np.all(image[label == 0] <= 200)
    row = image[40, :, 0]
    disc = np.flatnonzero(label[40] == 1)
    towards, away = row[disc[0] - 4], row[disc[-1] + 4]
    assert towards == 200
    assert away < 150
    assert not np.any(label[:, 70:])


def test_a_context_gives_background_and_shapes_a_class_in_common() -> None:
    dataset = data.open("shapes", size=64, count=60, context=1)
    hues: dict[int, list[int]] = {}
    for sample in dataset:
        number = max(np.setdiff1d(sample.label, (255,)).tolist())
        hues.setdefault(number, []).append(int(sample.image[sample.label == 0].mean(axis=0).argmax()))
    assert {number: set(found) for number, found in hues.items() if number in (1, 3, 4)} == {1: {0}, 3: {1}, 4: {2}}
    with pytest.raises(DataError, match="context is 2; expected a probability"):
        data.open("shapes", context=2)
    with pytest.raises(DataError, match="and 0 for scene and single"):
        data.open("shapes", context=0.5, scene=True)


def test_shapes_without_the_class_of_the_context_are_of_any_class() -> None:
    dataset = data.open("shapes", size=64, count=40, context=0.5)
    several = [len(np.setdiff1d(sample.label, (0, 255))) > 1 for sample in dataset]
    assert 10 < sum(several) < 40
