"""Blobs and back, and augmentation that keeps image and label together."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcnlite.data.sample import Sample
from fcnlite.data.transforms import Augment, augment, from_blob, label_to_blob, mean_pixel, to_blob
from fcnlite.description.model_info import Preprocessing
from fcnlite.errors import DataError

IMAGE = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
FILL = (1, 2, 3)
FILLING = Preprocessing(color="RGB", mean=FILL)
COLORS = np.random.default_rng(1).integers(0, 256, (256, 3), dtype=np.uint8)


def test_the_default_is_bgr_minus_the_mean() -> None:
    blob = to_blob(IMAGE, Preprocessing())
    assert blob.shape == (3, 4, 6)
    assert blob.dtype == np.float32
    assert blob.flags.c_contiguous
    assert blob[0, 1, 2] == pytest.approx(IMAGE[1, 2, 2] - 104.00699, abs=1e-4)
    assert blob[1, 1, 2] == pytest.approx(IMAGE[1, 2, 1] - 116.66877, abs=1e-4)
    assert blob[2, 1, 2] == pytest.approx(IMAGE[1, 2, 0] - 122.67892, abs=1e-4)


def test_rgb_scale_and_gray() -> None:
    scaled = to_blob(IMAGE, Preprocessing(color="RGB", mean=(1.0, 2.0, 3.0), scale=0.5))
    assert scaled[2, 3, 5] == (IMAGE[3, 5, 2] - 3.0) * 0.5
    gray = to_blob(IMAGE, Preprocessing(color="GRAY", mean=(10.0,)))
    assert gray.shape == (1, 4, 6)
    red, green, blue = IMAGE[0, 0].tolist()
    assert gray[0, 0, 0] == pytest.approx(0.299 * red + 0.587 * green + 0.114 * blue - 10, abs=1e-3)


@pytest.mark.parametrize(
    "preprocessing",
    [
        Preprocessing(),
        Preprocessing(color="RGB", mean=(120.0, 110.0, 100.5), scale=1 / 255),
        Preprocessing(color="GRAY", mean=(99.0,), scale=0.01),
    ],
)
def test_from_blob_inverts_to_blob(preprocessing: Preprocessing) -> None:
    image = np.repeat(IMAGE[:, :, :1], 3, axis=2) if preprocessing.color == "GRAY" else IMAGE
    assert np.array_equal(from_blob(to_blob(image, preprocessing), preprocessing), image)


def test_the_mean_colour_is_rgb() -> None:
    assert mean_pixel(Preprocessing()).tolist() == [123, 117, 104]
    assert mean_pixel(Preprocessing(color="GRAY", mean=(50.4,))).tolist() == [50, 50, 50]


@pytest.mark.parametrize("image", [IMAGE[:, :, 0], IMAGE.astype(np.float32), IMAGE[:, :, :2]])
def test_other_arrays_are_no_pictures(image: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"expected H×W×3 RGB of type uint8"):
        to_blob(image, Preprocessing())


def test_labels_become_blobs_of_one_channel() -> None:
    label = np.arange(24, dtype=np.uint8).reshape(4, 6)[:, ::-1]
    blob = label_to_blob(label)
    assert blob.shape == (1, 4, 6)
    assert blob.flags.c_contiguous
    assert np.array_equal(blob[0], label)


settings = st.builds(
    Augment,
    flip=st.booleans(),
    scale=st.tuples(st.floats(0.2, 1), st.floats(1, 3)),
    crop=st.none() | st.tuples(st.integers(1, 60), st.integers(1, 60)),
)


@given(settings, st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_labels_never_hold_a_new_number(settings: Augment, height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    label = rng.choice(np.array([0, 3, 100, 255], np.uint8), (height, width))
    out = augment(Sample({"data": COLORS[label]}, {"label": label}, "x"), settings, rng, FILLING)
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
    out = augment(Sample({"data": COLORS[label]}, {"label": label}, "x"), settings, rng, filling)
    inner = np.zeros(out.label.shape, bool)
    if min(out.label.shape) >= 7:
        windows = np.lib.stride_tricks.sliding_window_view(out.label, (7, 7))
        inner[3:-3, 3:-3] = windows.min(axis=(2, 3)) == windows.max(axis=(2, 3))
    assert np.array_equal(out.image[inner], COLORS[out.label[inner]])


def test_without_settings_nothing_changes() -> None:
    label = IMAGE[:, :, 0]
    out = augment(Sample({"data": IMAGE}, {"label": label}, "x"), Augment(), np.random.default_rng(0), FILLING)
    assert np.array_equal(out.image, IMAGE)
    assert np.array_equal(out.label, label)


def test_a_crop_is_a_part_of_the_picture_and_every_part_occurs() -> None:
    label = np.arange(12, dtype=np.uint8).reshape(3, 4)
    image = COLORS[label]
    rng = np.random.default_rng(0)
    corners = set()
    for _ in range(100):
        out = augment(Sample({"data": image}, {"label": label}, "x"), Augment(crop=(2, 2)), rng, FILLING)
        assert np.array_equal(out.image, COLORS[out.label])
        assert (out.label - out.label[0, 0]).tolist() == [[0, 1], [4, 5]]
        corners.add(int(out.label[0, 0]))
    assert corners == {0, 1, 2, 4, 5, 6}


def test_small_pictures_are_padded_with_the_fill_and_void() -> None:
    label = np.ones((2, 3), np.uint8)
    image = np.full((2, 3, 3), 200, np.uint8)
    sample = Sample({"data": image}, {"label": label}, "x")
    out = augment(sample, Augment(crop=(5, 5)), np.random.default_rng(0), FILLING)
    assert (out.label == 1).sum() == 6
    assert (out.label == 255).sum() == 19
    assert np.all(out.image[out.label == 1] == 200)
    assert np.all(out.image[out.label == 255] == FILL)


def test_flip_mirrors_about_half_of_them() -> None:
    label = np.array([[0, 1, 2]], np.uint8)
    rng = np.random.default_rng(0)
    sample = Sample({"data": COLORS[label]}, {"label": label}, "x")
    outs = [augment(sample, Augment(flip=True), rng, FILLING) for _ in range(200)]
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
        sample = Sample({"data": COLORS[label]}, {"label": label}, "x")
        out = augment(sample, Augment(turn=True, crop=crop), rng, FILLING)
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
        out = augment(sample, Augment(shift=2), np.random.default_rng(seed), FILLING)
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
    far = augment(sample, Augment(shift=50), np.random.default_rng(0), FILLING)
    assert np.count_nonzero(far.label != 255) >= 1


def test_brightness_multiplies_the_picture_and_leaves_padding_and_label() -> None:
    label = np.ones((2, 3), np.uint8)
    sample = Sample({"data": np.full((2, 3, 3), 200, np.uint8)}, {"label": label}, "x")
    rng = np.random.default_rng(0)
    seen = []
    for _ in range(200):
        out = augment(sample, Augment(crop=(5, 5), brightness=0.4), rng, FILLING)
        (value,) = np.unique(out.image[out.label == 1])
        seen.append(int(value))
        assert np.all(out.image[out.label == 255] == FILL)
    assert min(seen) in range(120, 126)
    assert max(seen) == 255  # clipped, not wrapped
    assert 90 < sum(value < 200 for value in seen) < 130


def test_a_crop_of_a_resized_picture_is_its_cut() -> None:
    """Resizing the part alone gives what resizing everything and cutting gives, within rounding, inside."""
    from PIL import Image

    rng = np.random.default_rng(3)
    label = rng.integers(0, 5, (20, 30)).astype(np.uint8)
    image = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    whole = np.array(Image.fromarray(image).resize((60, 40), Image.Resampling.BILINEAR)).astype(int)
    out = augment(Sample({"data": image}, {"label": label}, "x"), Augment(scale=(2, 2), crop=(16, 16)), rng, FILLING)
    windows = np.lib.stride_tricks.sliding_window_view(label.repeat(2, 0).repeat(2, 1), (16, 16))
    ((row, column),) = np.argwhere((windows == out.label).all(axis=(2, 3)))
    cut = whole[row : row + 16, column : column + 16]
    assert np.abs(cut - out.image)[2:-2, 2:-2].max() <= 1


@pytest.mark.parametrize(
    "options",
    [
        {"scale": (0, 1)},
        {"scale": (2, 1)},
        {"scale": (1, float("inf"))},
        {"crop": (0, 5)},
        {"brightness": 1.1},
        {"shift": -1},
    ],
)
def test_settings_out_of_range(options: dict) -> None:
    with pytest.raises(DataError, match=r"augmentation"):
        Augment(**options)


# Several pictures and labels, 16 bits, depth

DEPTH = Preprocessing(color="DEPTH", mean=(7.844,), bits=16)
SEVERAL = Preprocessing(others={"depth": DEPTH})


def test_depth_becomes_its_logarithm_and_missing_depth_the_mean() -> None:
    depth = np.array([[1000, 65535, 0]], np.uint16)
    blob = to_blob(depth, DEPTH)
    assert blob.shape == (1, 1, 3)
    assert blob[0, 0].tolist() == pytest.approx([np.log(1000) - 7.844, np.log(65535) - 7.844, 0], abs=1e-5)
    assert from_blob(blob, DEPTH)[0, :2].tolist() == [1000, 65535]
    assert mean_pixel(DEPTH) == 2550


def test_sixteen_bits_fill_as_many_channels_as_the_net_has() -> None:
    deep = np.array([[0, 4000]], np.uint16)
    gray = to_blob(deep, Preprocessing(color="GRAY", mean=(2000.0,), scale=0.5, bits=16))
    assert gray.tolist() == [[[-1000, 1000]]]
    three = to_blob(deep, Preprocessing(mean=(0.0, 1000.0, 2000.0), bits=16))
    assert three[:, 0].tolist() == [[0, 4000], [-1000, 3000], [-2000, 2000]]


@pytest.mark.parametrize(
    ("image", "preprocessing"),
    [
        (np.zeros((2, 2), np.uint16), Preprocessing()),
        (np.zeros((2, 2, 3), np.uint8), DEPTH),
        (np.zeros((2, 2, 3), np.uint16), DEPTH),
        (np.zeros((2, 2, 4), np.uint8), Preprocessing()),
    ],
)
def test_pictures_of_another_kind_are_refused(image: np.ndarray, preprocessing: Preprocessing) -> None:
    with pytest.raises(DataError, match=r"the picture has shape .*; expected H×W"):
        to_blob(image, preprocessing)


@given(settings, st.integers(0, 2**32 - 1))
def test_all_pictures_and_labels_go_through_one_geometry(settings: Augment, seed: int) -> None:
    label = np.arange(15, dtype=np.uint8).reshape(3, 5).repeat(8, 0).repeat(8, 1)
    images = {"data": np.repeat(label[:, :, None], 3, axis=2), "depth": label.astype(np.uint16) * 1000}
    sample = Sample(images, {"sem": label, "geo": label // 2}, "x")
    filling = dataclasses.replace(SEVERAL, color="RGB", mean=(255.0,) * 3)
    out = augment(sample, settings, np.random.default_rng(seed), filling)
    known = out.labels["sem"] != 255
    assert np.array_equal(out.labels["geo"], np.where(known, out.labels["sem"] // 2, 255))
    assert out.images["depth"].dtype == np.uint16
    assert np.all(out.images["depth"][~known] == 2550) and np.all(out.images["data"][~known] == 255)
    # Distances are those of the nearest pixel, as labels are: none is made up between two.
    assert np.array_equal(out.images["depth"][known], 1000 * out.labels["sem"][known].astype(np.uint16))
    # Colours are bilinear: between the smallest and the largest class they may be anything.
    assert out.images["data"][known].max(initial=0) <= 14


def test_brightness_lights_pictures_but_neither_depth_nor_padding() -> None:
    label = np.zeros((4, 4), np.uint8)
    images = {"data": np.full((4, 4, 3), 100, np.uint8), "depth": np.full((4, 4), 3000, np.uint16)}
    sample, rng, seen = Sample(images, {"label": label}, "x"), np.random.default_rng(0), set()
    for _ in range(50):
        out = augment(sample, Augment(brightness=0.3, crop=(6, 6)), rng, SEVERAL)
        inside = out.label == 0
        (value,) = np.unique(out.images["data"][inside]).tolist()
        seen.add(value)
        assert np.all(out.images["data"][~inside] == mean_pixel(SEVERAL))
        assert np.all(out.images["depth"][inside] == 3000)
    assert 70 <= min(seen) < 80 and 120 < max(seen) <= 130
    with pytest.raises(DataError, match=r"brightness 1.5: expected 0 to 1"):
        Augment(brightness=1.5)
