"""Blobs and back."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite.data.transforms import from_blob, label_to_blob, mean_pixel, to_blob
from fcnlite.description.model_info import Preprocessing
from fcnlite.errors import DataError

IMAGE = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)


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


# Several pictures and labels, 16 bits, depth

DEPTH = Preprocessing(color="DEPTH", mean=(7.844,), bits=16)


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
