"""Where the pixels go: resizing, cropping, mirroring, turning, shifting and warping, pictures and labels alike."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import CubicHermiteSpline, RegularGridInterpolator

from fcnlite.data.augmentation import Augment, Streams, augment
from fcnlite.data.augmentation.change import Change
from fcnlite.data.augmentation.geometry import Geometry, Span
from fcnlite.data.augmentation.warp import CELL
from fcnlite.data.sample import Sample
from fcnlite.data.seeding import generator
from fcnlite.description.model_info import Preprocessing
from tests.data.augmentation.helpers import COLORS, FILL, changed, painted, sample_of

DEPTH = Preprocessing(color="DEPTH", mean=(7.844,), bits=16)
SEVERAL = Preprocessing(others={"depth": DEPTH})

settings = st.builds(
    Augment,
    flip=st.booleans(),
    turn=st.booleans(),
    scale=st.tuples(st.floats(0.2, 1), st.floats(1, 3)),
    crop=st.none() | st.tuples(st.integers(1, 60), st.integers(1, 60)),
    shift=st.integers(0, 9),
    rotation=st.none() | st.floats(1, 180),
    perspective=st.none() | st.floats(0.01, 0.25),
    elastic=st.none() | st.tuples(st.floats(0.5, 4), st.integers(16, 40)),
    cutout=st.none() | st.tuples(st.integers(1, 4), st.floats(0.05, 0.45)),
)


@given(settings, st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_labels_never_hold_a_new_number(settings: Augment, height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    label = rng.choice(np.array([0, 3, 100, 255], np.uint8), (height, width))
    out = changed(painted(label), settings, rng)
    assert set(np.unique(out.label)) <= {*np.unique(label).tolist(), 255}
    assert out.image.shape == (*out.label.shape, 3)
    assert out.label.shape == settings.crop or settings.crop is None
    assert out.image.flags.c_contiguous
    assert out.label.flags.c_contiguous


@given(settings, st.integers(0, 2**32 - 1))
def test_image_and_label_stay_together(settings: Augment, seed: int) -> None:
    """An image that paints each class in its colour still does, away from the edges between classes."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 5, (3, 4)).astype(np.uint8).repeat(16, 0).repeat(16, 1)
    filling = Preprocessing(color="RGB", mean=tuple(COLORS[255].tolist()))
    out = changed(painted(label), settings, rng, filling)
    inner = np.zeros(out.label.shape, bool)
    if min(out.label.shape) >= 7:
        windows = np.lib.stride_tricks.sliding_window_view(out.label, (7, 7))
        inner[3:-3, 3:-3] = windows.min(axis=(2, 3)) == windows.max(axis=(2, 3))
    assert np.array_equal(out.image[inner], COLORS[out.label[inner]])


def test_without_settings_nothing_changes() -> None:
    image = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    out = changed(sample_of(image, image[:, :, 0]), Augment(), np.random.default_rng(0))
    assert np.array_equal(out.image, image)
    assert np.array_equal(out.label, image[:, :, 0])


def test_a_crop_is_a_part_of_the_picture_and_every_part_occurs() -> None:
    label = np.arange(12, dtype=np.uint8).reshape(3, 4)
    image = COLORS[label]
    rng = np.random.default_rng(0)
    corners = set()
    for _ in range(100):
        out = changed(sample_of(image, label), Augment(crop=(2, 2)), rng)
        assert np.array_equal(out.image, COLORS[out.label])
        assert (out.label - out.label[0, 0]).tolist() == [[0, 1], [4, 5]]
        corners.add(int(out.label[0, 0]))
    assert corners == {0, 1, 2, 4, 5, 6}


def test_small_pictures_are_padded_with_the_fill_and_void() -> None:
    label = np.ones((2, 3), np.uint8)
    image = np.full((2, 3, 3), 200, np.uint8)
    sample = sample_of(image, label)
    out = changed(sample, Augment(crop=(5, 5)), np.random.default_rng(0))
    assert (out.label == 1).sum() == 6
    assert (out.label == 255).sum() == 19
    assert np.all(out.image[out.label == 1] == 200)
    assert np.all(out.image[out.label == 255] == FILL)


def test_flip_mirrors_about_half_of_them() -> None:
    label = np.array([[0, 1, 2]], np.uint8)
    rng = np.random.default_rng(0)
    sample = painted(label)
    outs = [changed(sample, Augment(flip=True), rng) for _ in range(200)]
    flipped = [out for out in outs if out.label.tolist() == [[2, 1, 0]]]
    assert 70 < len(flipped) < 130
    assert np.array_equal(flipped[0].image, COLORS[label][:, ::-1])


@pytest.mark.parametrize("crop", [None, (2, 4)])
def test_turning_gives_each_of_the_four_sides_a_turn_at_the_top(crop: tuple[int, int] | None) -> None:
    """Picture and label together; a crop keeps its height and width."""
    label = np.arange(8, dtype=np.uint8).reshape(2, 4) if crop is None else np.arange(16, dtype=np.uint8).reshape(4, 4)
    rng = np.random.default_rng(0)
    seen = dict.fromkeys(range(4), 0)
    for _ in range(200):
        sample = painted(label)
        out = changed(sample, Augment(turn=True, crop=crop), rng)
        assert np.array_equal(out.image, COLORS[out.label])
        assert crop is None or out.label.shape == crop
        (turns,) = (k for k in range(4) if _is_part(np.rot90(out.label, -k), label))
        seen[turns] += 1
    assert min(seen.values()) > 30


def _is_part(part: np.ndarray, whole: np.ndarray) -> bool:
    if any(p > w for p, w in zip(part.shape, whole.shape, strict=True)):
        return False
    windows = np.lib.stride_tricks.sliding_window_view(whole, part.shape)
    return bool((windows == part).all(axis=(2, 3)).any())


def test_shifts_reach_every_offset_and_fill_what_is_uncovered() -> None:
    label = np.arange(30, dtype=np.uint8).reshape(5, 6)
    sample = Sample({"data": np.repeat(label[:, :, None], 3, axis=2)}, {"label": label}, "x")
    seen = set()
    for seed in range(400):
        out = changed(sample, Augment(shift=2), np.random.default_rng(seed))
        assert out.label.shape == label.shape
        row, column = np.argwhere(out.label == label[2, 2])[0]
        down, right = row - 2, column - 2
        seen.add((int(down), int(right)))
        inside = [slice(max(0, d), min(n, n + d)) for d, n in ((down, 5), (right, 6))]
        came_from = [slice(max(0, -d), min(n, n - d)) for d, n in ((down, 5), (right, 6))]
        np.testing.assert_array_equal(out.label[tuple(inside)], label[tuple(came_from)])
        np.testing.assert_array_equal(out.image[tuple(inside)][:, :, 0], label[tuple(came_from)])
        assert np.count_nonzero(out.label == 255) == 30 - (5 - abs(down)) * (6 - abs(right))
    assert len(seen) == 25
    far = changed(sample, Augment(shift=50), np.random.default_rng(0))
    assert np.count_nonzero(far.label != 255) >= 1


def test_a_crop_of_a_resized_picture_is_its_cut() -> None:
    """Resizing the part alone gives what resizing everything and cutting gives, within rounding, inside."""
    from PIL import Image

    rng = np.random.default_rng(3)
    label = rng.integers(0, 5, (20, 30)).astype(np.uint8)
    image = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    whole = np.array(Image.fromarray(image).resize((60, 40), Image.Resampling.BILINEAR)).astype(int)
    out = changed(sample_of(image, label), Augment(scale=(2, 2), crop=(16, 16)), rng)
    windows = np.lib.stride_tricks.sliding_window_view(label.repeat(2, 0).repeat(2, 1), (16, 16))
    ((row, column),) = np.argwhere((windows == out.label).all(axis=(2, 3)))
    cut = whole[row : row + 16, column : column + 16]
    assert np.abs(cut - out.image)[2:-2, 2:-2].max() <= 1


@given(settings, st.integers(0, 2**32 - 1))
def test_all_pictures_and_labels_go_through_one_geometry(settings: Augment, seed: int) -> None:
    label = np.arange(15, dtype=np.uint8).reshape(3, 5).repeat(8, 0).repeat(8, 1)
    images = {"data": np.repeat(label[:, :, None], 3, axis=2), "depth": label.astype(np.uint16) * 1000}
    sample = Sample(images, {"sem": label, "geo": label // 2}, "x")
    filling = dataclasses.replace(SEVERAL, color="RGB", mean=(255.0,) * 3)
    out = changed(sample, settings, np.random.default_rng(seed), filling)
    known = out.labels["sem"] != 255
    assert np.array_equal(out.labels["geo"], np.where(known, out.labels["sem"] // 2, 255))
    assert out.images["depth"].dtype == np.uint16
    assert np.all(out.images["depth"][~known] == 2550) and np.all(out.images["data"][~known] == 255)
    # Distances are those of the nearest pixel, as labels are: none is made up between two.
    assert np.array_equal(out.images["depth"][known], 1000 * out.labels["sem"][known].astype(np.uint16))
    # Colours are bilinear: between the smallest and the largest class they may be anything.
    assert out.images["data"][known].max(initial=0) <= 14


# The random numbers of trainings that are recorded


@pytest.mark.parametrize("turn", [False, True])
def test_transforms_that_share_a_stream_draw_in_the_order_of_recorded_trainings(turn: bool) -> None:
    """A scale, a quarter turn, the place of the crop, a flip, a brightness and a shift, absent or not."""
    label = np.arange(30 * 40).reshape(30, 40) % 251
    sample = painted(label.astype(np.uint8))
    for index in range(20):
        rng = generator("augment", 7, 3, index)
        rng.uniform(1, 1)
        turns = int(rng.integers(4)) if turn else 0
        out = (20, 16) if turns % 2 else (16, 20)
        top, left = (int(rng.integers(have - want + 1)) for have, want in zip((30, 40), out, strict=True))
        flip = rng.random() < 0.5
        factor = np.float32(rng.uniform(0.6, 1.4))
        down, right = (int(rng.integers(-3, 4)) for _ in range(2))
        image = np.full((*out, 3), FILL, np.uint8)
        lit = np.clip(np.rint(COLORS[label] * factor), 0, 255)
        for y in range(out[0]):
            for x in range(out[1]):
                if 0 <= y - down < out[0] and 0 <= x - right < out[1]:
                    image[y, x] = lit[top + y - down, left + x - right]
        expected = np.rot90(image[:, ::-1] if flip else image, turns)
        settings = Augment(crop=(16, 20), flip=True, brightness=0.4, shift=3, turn=turn)
        found = augment(sample, settings, Streams(7, 3, index), Preprocessing(color="RGB", mean=FILL))
        np.testing.assert_array_equal(found.image, expected)


def test_a_transform_of_its_own_stream_leaves_the_numbers_of_the_others() -> None:
    sample = painted(np.random.default_rng(0).integers(0, 200, (40, 50)).astype(np.uint8))
    few = Augment(scale=(0.5, 2), crop=(24, 24), flip=True, cutout=1)
    more = few.changed(noise=5, blur=1, hue=0.1, gamma=0.5, contrast=0.2, temperature=0.1, saturation=0.4)
    for index in range(10):
        one, other = (augment(sample, each, Streams(1, 2, index), Preprocessing()) for each in (few, more))
        np.testing.assert_array_equal(one.label, other.label)
        assert not np.array_equal(one.image, other.image)


# Warps, against the pixels that an independent inverse map leads to


def mapped(label: np.ndarray, image: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, ...]:
    """The label and the colour at points (x, y) of a picture, and where they are certain: no pixel's border is near."""
    height, width = label.shape
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    row, column = (np.clip(np.floor(each).astype(int), 0, n - 1) for each, n in ((y, height), (x, width)))
    found = np.where(inside, label[row, column], 255)
    certain = (np.abs(x - np.rint(x)) > 0.05) & (np.abs(y - np.rint(y)) > 0.05)
    fx, fy = np.clip(x - 0.5, 0, width - 1), np.clip(y - 0.5, 0, height - 1)
    bilinear = RegularGridInterpolator((np.arange(height), np.arange(width)), image.astype(float))
    color = np.where(inside[:, :, None], bilinear(np.stack([fy, fx], axis=2)), FILL)
    return found, color, certain


def centres(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    return x, y


def assert_mapped(settings: Augment, seed: int, x: np.ndarray, y: np.ndarray, sample: Sample) -> None:
    found = augment(sample, settings, Streams(seed, 0, 0), Preprocessing(color="RGB", mean=FILL))
    label, color, certain = mapped(sample.label, sample.image, x, y)
    np.testing.assert_array_equal(found.label[certain], label[certain])
    assert np.abs(found.image - color)[certain].max() <= 1.01  # Pillow rounds down
    assert np.mean(certain) > 0.7


SCENE = sample_of(
    np.random.default_rng(2).integers(0, 256, (33, 47, 3), dtype=np.uint8),
    np.random.default_rng(3).integers(0, 9, (33, 47)).astype(np.uint8),
)


Points = tuple[np.ndarray, np.ndarray]


def turned(x: np.ndarray, y: np.ndarray, seed: int) -> Points:
    """The rotation that `rotation=25` draws."""
    angle = math.radians(generator("augment rotation", seed, 0, 0).uniform(-25, 25))
    point = complex(math.cos(angle), math.sin(angle)) * ((x - 23.5) + 1j * (y - 16.5))
    return point.real + 23.5, point.imag + 16.5


def projected(x: np.ndarray, y: np.ndarray, seed: int) -> Points:
    """The map that `perspective=0.2` draws, from the unit square to a quadrilateral (Heckbert, 1989)."""
    moves = generator("augment perspective", seed, 0, 0).uniform(-0.2, 0.2, (4, 2))
    corners = (np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) + moves) * (47, 33)
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = corners.tolist()
    dx1, dx2, sx = x1 - x2, x3 - x2, x0 - x1 + x2 - x3
    dy1, dy2, sy = y1 - y2, y3 - y2, y0 - y1 + y2 - y3
    whole = dx1 * dy2 - dx2 * dy1
    g, h = (sx * dy2 - dx2 * sy) / whole, (dx1 * sy - sx * dy1) / whole
    u, v = x / 47, y / 33
    w = g * u + h * v + 1
    return (
        ((x1 - x0 + g * x1) * u + (x3 - x0 + h * x3) * v + x0) / w,
        ((y1 - y0 + g * y1) * u + (y3 - y0 + h * y3) * v + y0) / w,
    )


def displaced(seed: int) -> Points:
    """The centres after what `elastic=3:12` draws: smooth up to the vertices of the mesh, bilinear between them."""
    grid = generator("augment elastic", seed, 0, 0).uniform(-3, 3, (2, 33 // 12 + 4, 47 // 12 + 4))
    for axis, side in ((1, 33), (2, 47)):
        knots = 12.0 * (np.arange(grid.shape[axis]) - 1)
        spline = CubicHermiteSpline(knots, grid, np.gradient(grid, knots, axis=axis), axis=axis)
        vertices = np.append(np.arange(0, side, CELL), side)
        between = RegularGridInterpolator((vertices,), np.moveaxis(spline(vertices), axis, 0))
        grid = np.moveaxis(between(np.arange(side) + 0.5), 0, axis)
    x, y = centres(33, 47)
    return x + grid[0], y + grid[1]


@pytest.mark.parametrize("seed", range(3))
def test_rotation_turns_about_the_centre(seed: int) -> None:
    assert_mapped(Augment(rotation=25), seed, *turned(*centres(33, 47), seed), SCENE)


@pytest.mark.parametrize("seed", range(3))
def test_perspective_moves_the_corners_and_keeps_lines_straight(seed: int) -> None:
    assert_mapped(Augment(perspective=0.2), seed, *projected(*centres(33, 47), seed), SCENE)


@pytest.mark.parametrize("seed", range(3))
def test_elastic_moves_the_points_of_a_grid_and_is_smooth_between(seed: int) -> None:
    assert_mapped(Augment(elastic=(3, 12)), seed, *displaced(seed), SCENE)


@pytest.mark.parametrize("seed", range(3))
def test_warps_are_one_map(seed: int) -> None:
    """A pixel shows the point that elastic, then rotation, then perspective leads to."""
    flat = Augment(rotation=25, perspective=0.2)
    assert_mapped(flat, seed, *projected(*turned(*centres(33, 47), seed), seed), SCENE)
    bent = Augment(rotation=25, elastic=(3, 12))
    assert_mapped(bent, seed, *turned(*displaced(seed), seed), SCENE)


def test_elastic_never_folds_a_picture() -> None:
    """The map keeps its orientation at the strongest setting that is allowed, in nearly every cell."""
    folded = []
    for seed in range(50):
        change = Change(sample_of(np.zeros((200, 200, 3), np.uint8)))
        (transform,) = Augment(elastic=(24, 96)).transforms
        transform.draw(change, np.random.default_rng(seed))  # type: ignore[attr-defined]
        points = change.geometry.bend().vertices(np.eye(3))
        right, down = np.diff(points, axis=1)[:-1], np.diff(points, axis=0)[:, :-1]
        folded.append(right[:, :, 0] * down[:, :, 1] - right[:, :, 1] * down[:, :, 0] <= 0)
    assert not np.any(folded)


def test_scale_crop_and_warps_are_one_map() -> None:
    """Points of the result, through the warp, the place in the resized picture, and the factor."""
    geometry = Geometry(33, 47)
    geometry.resize(2)
    geometry.out, geometry.rows, geometry.columns = (30, 120), Span(20, 0, 30), Span(0, 13, 94)
    turn = np.array([[0.96, -0.28, 0], [0.28, 0.96, 0], [0, 0, 1]])
    geometry.bend().project(turn)
    x, y = centres(30, 120)
    to = turn[:2, :2] @ np.stack([x - 60, y - 15]).reshape(2, -1)
    x, y = (to[0].reshape(x.shape) + 60 - 13) / 2, (to[1].reshape(y.shape) + 15 + 20) / 2
    label, color, certain = mapped(SCENE.label, SCENE.image, x, y)
    np.testing.assert_array_equal(geometry.placed(SCENE.label, 255, smooth=False)[certain], label[certain])
    found = geometry.placed(SCENE.image, np.array(FILL, np.uint8), smooth=True)
    assert np.abs(found - color)[certain].max() <= 1.01
    # What the picture does not cover keeps its fill whatever changes the rest.
    white = geometry.placed(SCENE.image, np.array(FILL, np.uint8), True, lambda image: np.full_like(image, 255))
    outside = geometry.placed(np.zeros((33, 47), np.uint8), 255, smooth=False) == 255
    assert outside.any() and (white[outside] == FILL).all() and (white[~outside] == 255).all()


@given(settings, st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_what_a_picture_does_not_cover_is_the_mean_pixel_whatever_the_look(
    settings: Augment, height: int, width: int, seed: int
) -> None:
    looks = settings.changed(noise=200, brightness=0.9, gamma=0.5, saturation=1)
    out = changed(sample_of(np.full((height, width, 3), 9, np.uint8)), looks, np.random.default_rng(seed))
    assert (out.image[out.label == 255] == FILL).all()


def test_the_logarithm_of_a_scale_is_uniform() -> None:
    settings = Augment.of(["scale=0.25:4:log"])
    sides = [
        changed(sample_of(np.zeros((64, 64, 3), np.uint8)), settings, np.random.default_rng(s)) for s in range(300)
    ]
    smaller = sum(each.label.shape[0] < 64 for each in sides)
    assert 120 < smaller < 180
    assert min(each.label.shape[0] for each in sides) < 20 and max(each.label.shape[0] for each in sides) > 210


# Crops by class


def test_class_crops_show_every_class_of_the_picture_as_often() -> None:
    label = np.zeros((60, 80), np.uint8)
    label[7, 70] = 3
    label[50, 2] = 255
    rng = np.random.default_rng(0)
    settings = Augment(crop=(10, 12), flip=True)
    for share, low, high in ((1.0, 90, 140), (0.5, 40, 85)):
        outs = [changed(painted(label), settings.changed(classcrop=share), rng) for _ in range(200)]
        assert all(np.array_equal(each.image, COLORS[each.label]) for each in outs)
        shown = [each for each in outs if (each.label == 3).any()]
        assert low < len(shown) < high
        assert len({tuple(np.argwhere(each.label == 3)[0]) for each in shown}) > 20  # anywhere in the crop
    assert sum((changed(painted(label), settings, rng).label == 3).any() for _ in range(200)) < 20


def test_class_crops_of_resized_and_of_small_pictures() -> None:
    rng = np.random.default_rng(0)
    label = np.full((40, 40), 255, np.uint8)
    label[30:32, 4:6] = 2
    for _ in range(30):
        out = changed(painted(label), Augment(scale=(0.5, 2), crop=(8, 8), classcrop=1.0), rng)
        assert (out.label == 2).any()
    one = np.full((20, 20), 255, np.uint8)
    one[9, 11] = 2
    for _ in range(100):
        assert (changed(painted(one), Augment(crop=(4, 5), classcrop=1.0), rng).label == 2).any()
    void = changed(painted(np.full((5, 5), 255, np.uint8)), Augment(crop=(8, 4), classcrop=1.0), rng)
    assert void.label.shape == (8, 4)


def test_cut_out_hides_picture_and_label() -> None:
    sample, rng, hidden = sample_of(np.full((40, 60, 3), 200, np.uint8)), np.random.default_rng(0), []
    for _ in range(100):
        out = changed(sample, Augment(cutout=(1, 0.5)), rng)
        hole = out.label == 255
        rows, columns = (np.flatnonzero(hole.any(axis=axis)) for axis in (1, 0))
        assert hole.sum() == len(rows) * len(columns)  # one rectangle
        assert (out.image[hole] == FILL).all() and (out.image[~hole] == 200).all()
        hidden.append((len(rows), len(columns)))
    assert max(hidden) == (20, 30) and min(hidden) < (12, 31)
    two = changed(sample, Augment(cutout=(3, 0.1)), rng).label == 255
    assert 0 < two.sum() <= 3 * 4 * 6
