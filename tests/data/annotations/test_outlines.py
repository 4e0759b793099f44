"""Outlines: the pixels that they cover, compared with COCO's tools, and what is wrong with them."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite.data.annotations import outlines
from fcnlite.data.annotations.run_lengths import decompressed, run_lengths

mask = pytest.importorskip("pycocotools.mask", reason="needs the extra labels (pycocotools)")
pytest.importorskip("shapely", reason="needs the extra labels (shapely)")


def covered(outline: outlines.Outline, height: int, width: int) -> tuple[np.ndarray, str]:
    found = outline.cover(height, width)
    whole = np.zeros((height, width), bool)
    for top, left, inside in found.regions:
        whole[top : top + inside.shape[0], left : left + inside.shape[1]] |= inside
    return whole, found.fault


def polygon(*points: tuple[float, float]) -> outlines.Polygons:
    return outlines.Polygons([np.array(points, np.float64)])


def test_random_polygons_are_filled_as_by_coco() -> None:
    rng = np.random.default_rng(0)
    for _ in range(60):
        turn = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 12)))
        radius = rng.uniform(3, 15, turn.size)
        ring = np.stack((30 + radius * np.cos(turn), 22 + radius * np.sin(turn)), axis=1)
        theirs = mask.decode(mask.merge(mask.frPyObjects([ring.ravel().tolist()], 44, 60))).astype(bool)
        region = outlines.filled(ring)
        ours = np.zeros((44, 60), bool)
        ours[region.top : region.top + region.inside.shape[0], region.left : region.left + region.inside.shape[1]] = (
            region.inside
        )
        np.testing.assert_array_equal(ours, theirs)


def test_whole_coordinates_are_the_corners_of_pixels() -> None:
    found, fault = covered(polygon((2, 1), (5, 1), (5, 3), (7, 3), (7, 6), (2, 6)), 8, 9)
    wanted = np.zeros((8, 9), bool)
    wanted[1:6, 2:5] = wanted[3:6, 2:7] = True
    np.testing.assert_array_equal(found, wanted)
    assert not fault


def test_a_circle_has_its_area() -> None:
    found, fault = covered(outlines.circle(50.0, 40.0, 30.0), 80, 100)
    assert not fault
    assert found.sum() == pytest.approx(np.pi * 900, rel=0.01)


@pytest.mark.parametrize(
    "points, words",
    [
        ([(1, 1), (8, 6), (8, 1), (1, 6)], r"crosses itself near 4.5, 3.5"),
        ([(1, 1), (14, 1), (14, 4)], r"reaches outside the picture of 10×8 pixels \(columns 1 to 14, rows 1 to 4\)"),
        ([(1, 1), (4, 4)], "has a polygon of 2 points; expected at least 3"),
        ([(1, 1), (float("nan"), 4), (3, 3)], "not finite"),
        ([(1, 1), (1e300, 4), (3, 3)], "far too large"),
    ],
)
def test_faults_are_named(points: list[tuple[float, float]], words: str) -> None:
    import re

    fault = covered(polygon(*points), 8, 10)[1]
    assert re.search(words, fault), fault


def test_the_pixels_that_a_fault_makes_doubtful() -> None:
    bow, _ = covered(polygon((0, 0), (8, 8), (8, 0), (0, 8)), 8, 10)
    assert bow[4, 0] and bow[4, 7] and not bow[0, 4]
    beyond, _ = covered(polygon((6, 1), (14, 1), (14, 4), (6, 4)), 8, 10)
    assert beyond.sum() == 4 * 3
    nowhere, fault = covered(polygon((20, 20), (25, 20), (25, 25)), 8, 10)
    assert fault and not nowhere.any()


def test_harmless_polygons_have_no_fault() -> None:
    keyhole = [(1, 1), (9, 1), (9, 7), (1, 7), (1, 4), (3, 4), (3, 5), (5, 5), (5, 3), (3, 3), (3, 4), (1, 4)]
    found, fault = covered(polygon(*keyhole), 8, 10)
    assert not fault
    assert not found[3:5, 3:5].any() and found[1:7, 1:9].sum() == 48 - 4
    rounded, fault = covered(polygon((-0.4, 0), (10.5, 0), (10.5, 8), (-0.4, 8)), 8, 10)
    assert not fault and rounded.all()
    _, fault = covered(polygon((1, 1), (9, 1), (9, 7), (1, 7), (0.9, 4.0), (1.1, 4.1), (0.9, 4.2)), 8, 10)
    assert not fault


def test_run_lengths_are_read_as_coco_writes_them() -> None:
    rng = np.random.default_rng(1)
    for density in (0.01, 0.3, 0.9, 1.0):
        truth = rng.random((37, 41)) < density
        coded = mask.encode(np.asfortranarray(truth.astype(np.uint8)))
        found, fault = covered(run_lengths({"size": [37, 41], "counts": coded["counts"].decode()}), 37, 41)
        np.testing.assert_array_equal(found, truth)
        flat = truth.T.ravel()
        counts = np.diff(np.flatnonzero(np.concatenate(([True], flat[1:] != flat[:-1], [True])))).tolist()
        counts = [0, *counts] if flat[0] else counts
        assert decompressed(coded["counts"].decode()) == counts
        plain, fault = covered(run_lengths({"size": [37, 41], "counts": counts}), 37, 41)
        np.testing.assert_array_equal(plain, truth)
        assert not fault


@pytest.mark.parametrize(
    "value, words",
    [
        ({"size": [8, 10], "counts": [40, 50]}, "do not add up to 10×8"),
        ({"size": [8, 10], "counts": [90, -20, 10]}, "do not add up"),
        ({"size": [8, 11], "counts": [44, 44]}, "has a mask of 11×8 pixels; the picture has 10×8"),
        ({"size": [8, 10], "counts": "zz"}, "runs cannot be read"),
        ({"size": [8, 10], "counts": "oooooooooooo"}, "runs cannot be read"),
        ({"size": [8, 10], "counts": [1.5]}, "runs cannot be read"),
        ({"size": "8", "counts": []}, "without a size"),
        ({"size": [8, 10], "counts": [80]}, "empty mask"),
    ],
)
def test_masks_that_cannot_be_read(value: dict[str, object], words: str) -> None:
    assert words in covered(run_lengths(value), 8, 10)[1]
