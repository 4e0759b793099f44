"""Regions and their outlines: exact, simplified to a tolerance, and without holes."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import pytest

from fcnlite.segmentation.outputs.regions import components, simplified, trace, without_holes
from fcnlite.segmentation.outputs.selection import Selection, without_small_regions

shapely = pytest.importorskip("shapely", reason="needs the extra labels (shapely)")


def counted(labels: np.ndarray) -> list[tuple[int, int]]:
    """Class and pixels of each region, by a search from pixel to pixel, in the order of their first pixels."""
    left = np.ones(labels.shape, bool)
    found = []
    for start in np.ndindex(*labels.shape):
        if not left[start]:
            continue
        left[start], size, waiting = False, 0, deque([start])
        while waiting:
            y, x = waiting.pop()
            size += 1
            for other in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                inside = 0 <= other[0] < labels.shape[0] and 0 <= other[1] < labels.shape[1]
                if inside and left[other] and labels[other] == labels[start]:
                    left[other] = False
                    waiting.append(other)
        found.append((int(labels[start]), size))
    return found


def pixels(outline: Any, shape: tuple[int, int]) -> np.ndarray:
    """The pixels whose centres are in a polygon."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    return np.asarray(shapely.contains_xy(outline, x, y))


@pytest.mark.parametrize("seed", range(8))
def test_outlines_are_exact(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, (11, 14)).astype(np.uint8)
    labels[rng.random(labels.shape) < 0.1] = 255
    if seed % 2:
        labels = labels.repeat(2, axis=0).repeat(3, axis=1)
    wanted = [each for each in counted(labels) if each[0] != 255]
    found = trace(labels)
    assert [(each.label, each.pixels) for each in found] == wanted
    painted = np.full(labels.shape, 255, np.uint8)
    for each in found:
        assert each.outline.is_valid
        assert each.outline.area == each.pixels
        painted[pixels(each.outline, labels.shape)] = each.label
    np.testing.assert_array_equal(painted, labels)
    assert [each[:2] for each in trace(labels, [1])] == [each for each in wanted if each[0] != 1]


def test_components_are_those_of_a_search() -> None:
    labels = np.random.default_rng(9).integers(0, 3, (20, 30)).astype(np.uint8)
    found = components(labels)
    assert sorted(zip(found.classes.tolist(), found.sizes.tolist(), strict=True)) == sorted(counted(labels))
    assert (found.classes[found.numbers] == labels).all()


def test_one_class_is_one_rectangle_and_nothing_has_no_region() -> None:
    (whole,) = trace(np.zeros((5, 7), np.uint8))
    assert whole.outline.equals(shapely.box(0, 0, 7, 5))
    assert trace(np.full((5, 7), 255, np.uint8)) == []


def test_the_confidence_is_the_mean_over_the_region() -> None:
    labels = np.array([[0, 0, 1]], np.uint8)
    found = trace(labels, confidence=np.array([[0.5, 0.7, 0.9]]))
    assert [each.confidence for each in found] == pytest.approx([0.6, 0.9])


def disc_with_hole() -> np.ndarray:
    y, x = np.mgrid[:60, :80]
    radius = np.hypot(y - 30, x - 40)
    return ((radius < 25) & (radius > 9)).astype(np.uint8)


@pytest.mark.parametrize("tolerance", [0, 1, 2.5])
def test_simplified_outlines_keep_to_the_tolerance(tolerance: float) -> None:
    (ring,) = trace(disc_with_hole(), [0])
    found = simplified(ring.outline, tolerance)
    assert found.is_valid and len(found.interiors) == 1
    for one, other in ((found.boundary, ring.outline.boundary), (ring.outline.boundary, found.boundary)):
        assert shapely.hausdorff_distance(one, other, densify=0.05) <= 1.5 * tolerance + 1e-9
    corners = shapely.get_num_coordinates(found)
    assert corners <= {0: 1000, 1: 60, 2.5: 30}[tolerance]
    # The stated distance: no corner that was left out is farther from the new outline.
    removed = shapely.points(shapely.get_coordinates(ring.outline))
    assert shapely.distance(removed, found.boundary).max() <= tolerance + 1e-9


def test_polygons_without_holes_cover_the_same() -> None:
    labels = disc_with_hole()
    labels[28:33, 20:24] = 0
    (ring,) = trace(labels, [0])
    parts = without_holes(ring.outline)
    assert all(not part.interiors for part in parts)
    assert sum(part.area for part in parts) == ring.pixels
    assert shapely.union_all(parts).equals(ring.outline)


def test_selections() -> None:
    labels = np.array([[0, 0, 1, 1, 2]], np.uint8)
    probabilities = np.array([[[0.9, 0.5, 0.1, 0.0, 0.1]], [[0.1, 0.4, 0.6, 0.95, 0.2]], [[0.0, 0.1, 0.3, 0.05, 0.7]]])
    classes = ("a", "b", "c")

    def kept(*only: str, confidence: float = 0.0, area: int = 0) -> list[int]:
        selection = Selection.of(classes, only, confidence, area)
        return selection.apply(labels, probabilities)[0].tolist()

    assert kept() == [0, 0, 1, 1, 2]
    assert kept("b", "c") == [255, 255, 1, 1, 2]
    assert kept(confidence=0.6) == [0, 255, 1, 1, 2]
    assert kept(area=2) == [0, 0, 1, 1, 1]
    assert kept("c", area=2) == [255] * 5


def test_small_regions_take_the_nearest_large_one() -> None:
    labels = np.zeros((6, 9), np.uint8)
    labels[:, 5:] = 1
    labels[2, 2] = 2  # a speck in a
    labels[4, 6] = 255  # unknown stays
    labels[0, 8] = 2
    wanted = labels.copy()
    wanted[2, 2], wanted[0, 8] = 0, 1
    np.testing.assert_array_equal(without_small_regions(labels, 2), wanted)
    np.testing.assert_array_equal(without_small_regions(labels, 1), labels)
