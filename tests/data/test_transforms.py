"""Blobs and back, and augmentation that keeps image and label together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcnlite.data.dataset import Sample
from fcnlite.data.transforms import Augment, augment, from_blob, label_to_blob, mean_color, to_blob
from fcnlite.errors import DataError
from fcnlite.spec import Preprocessing

IMAGE = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
FILL = (1, 2, 3)
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
    assert mean_color(Preprocessing()) == (123, 117, 104)
    assert mean_color(Preprocessing(color="GRAY", mean=(50.4,))) == (50, 50, 50)


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
    out = augment(Sample(COLORS[label], label, "x"), settings, rng, FILL)
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
    out = augment(Sample(COLORS[label], label, "x"), settings, rng, tuple(COLORS[255].tolist()))
    inner = np.zeros(out.label.shape, bool)
    if min(out.label.shape) >= 7:
        windows = np.lib.stride_tricks.sliding_window_view(out.label, (7, 7))
        inner[3:-3, 3:-3] = windows.min(axis=(2, 3)) == windows.max(axis=(2, 3))
    assert np.array_equal(out.image[inner], COLORS[out.label[inner]])


def test_without_settings_nothing_changes() -> None:
    label = IMAGE[:, :, 0]
    out = augment(Sample(IMAGE, label, "x"), Augment(), np.random.default_rng(0), FILL)
    assert np.array_equal(out.image, IMAGE)
    assert np.array_equal(out.label, label)


def test_a_crop_is_a_part_of_the_picture_and_every_part_occurs() -> None:
    label = np.arange(12, dtype=np.uint8).reshape(3, 4)
    image = COLORS[label]
    rng = np.random.default_rng(0)
    corners = set()
    for _ in range(100):
        out = augment(Sample(image, label, "x"), Augment(crop=(2, 2)), rng, FILL)
        assert np.array_equal(out.image, COLORS[out.label])
        assert (out.label - out.label[0, 0]).tolist() == [[0, 1], [4, 5]]
        corners.add(int(out.label[0, 0]))
    assert corners == {0, 1, 2, 4, 5, 6}


def test_small_pictures_are_padded_with_the_fill_and_void() -> None:
    label = np.ones((2, 3), np.uint8)
    image = np.full((2, 3, 3), 200, np.uint8)
    out = augment(Sample(image, label, "x"), Augment(crop=(5, 5)), np.random.default_rng(0), FILL)
    assert (out.label == 1).sum() == 6
    assert (out.label == 255).sum() == 19
    assert np.all(out.image[out.label == 1] == 200)
    assert np.all(out.image[out.label == 255] == FILL)


def test_flip_mirrors_about_half_of_them() -> None:
    label = np.array([[0, 1, 2]], np.uint8)
    rng = np.random.default_rng(0)
    outs = [augment(Sample(COLORS[label], label, "x"), Augment(flip=True), rng, FILL) for _ in range(200)]
    flipped = [out for out in outs if out.label.tolist() == [[2, 1, 0]]]
    assert 70 < len(flipped) < 130
    assert np.array_equal(flipped[0].image, COLORS[label][:, ::-1])


def test_brightness_multiplies_the_picture_and_leaves_padding_and_label() -> None:
    label = np.ones((2, 3), np.uint8)
    image = np.full((2, 3, 3), 200, np.uint8)
    rng = np.random.default_rng(0)
    seen = []
    for _ in range(200):
        out = augment(Sample(image, label, "x"), Augment(crop=(5, 5), brightness=0.4), rng, FILL)
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
    out = augment(Sample(image, label, "x"), Augment(scale=(2, 2), crop=(16, 16)), rng, FILL)
    windows = np.lib.stride_tricks.sliding_window_view(label.repeat(2, 0).repeat(2, 1), (16, 16))
    ((row, column),) = np.argwhere((windows == out.label).all(axis=(2, 3)))
    cut = whole[row : row + 16, column : column + 16]
    assert np.abs(cut - out.image)[2:-2, 2:-2].max() <= 1


@pytest.mark.parametrize(
    "options",
    [{"scale": (0, 1)}, {"scale": (2, 1)}, {"scale": (1, float("inf"))}, {"crop": (0, 5)}, {"brightness": 1.1}],
)
def test_settings_out_of_range(options: dict) -> None:
    with pytest.raises(DataError, match=r"augmentation"):
        Augment(**options)
