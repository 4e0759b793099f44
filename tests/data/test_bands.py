"""Pictures of any number of bands, of 8 and 16 bits and floating point: files, blobs, training, prediction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import fcnlite
from fcnlite import data, predict
from fcnlite.data.augmentation import Augment, Streams, augment
from fcnlite.data.band_preprocessing import band_preprocessing
from fcnlite.data.bands import PixelFormat, read_bands, read_format, upright
from fcnlite.data.pictures import read_image, show
from fcnlite.data.sample import Sample
from fcnlite.data.transforms import from_blob, to_blob
from fcnlite.description.model_info import ModelInfo, Preprocessing
from fcnlite.errors import DataError, FileError, SpecError
from fcnlite.segmentation import evaluation
from fcnlite.train.__main__ import main as train

RNG = np.random.default_rng(0)
COLOR16 = RNG.integers(0, 65536, (5, 7, 3)).astype(np.uint16)


def png16(path: Path, pixels: np.ndarray) -> Path:
    """A PNG of 16-bit colours, which Pillow cannot write."""
    from tests.data.test_pictures import png

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    return png(path, pixels.shape[1], pixels.shape[0], 16, {3: 2, 4: 6}[pixels.shape[2]], rows)


def tiff(path: Path, pixels: np.ndarray, **options: Any) -> Path:
    tifffile.imwrite(path, pixels, **{"photometric": "minisblack", **options})
    return path


def test_sixteen_bit_colours_keep_all_their_bits(tmp_path: Path) -> None:
    assert read_format(png16(tmp_path / "a.png", COLOR16)) == PixelFormat(3, 16)
    np.testing.assert_array_equal(read_bands(tmp_path / "a.png")[0], COLOR16)
    alpha = np.dstack([COLOR16, np.full((5, 7), 60000, np.uint16)])
    np.testing.assert_array_equal(read_bands(png16(tmp_path / "alpha.png", alpha))[0], COLOR16)
    np.testing.assert_array_equal(read_bands(tiff(tmp_path / "a.tif", COLOR16, photometric="rgb"))[0], COLOR16)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("bands", [2, 4, 6, 16])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_tiff_files_of_several_bands(tmp_path: Path, dtype: str, bands: int, planar: str) -> None:
    values = (RNG.random((6, 9, bands)) * 250).astype(dtype)
    stored = values if planar == "contig" else values.transpose(2, 0, 1)
    path = tiff(tmp_path / "a.tif", stored, planarconfig=planar, compression="zlib")
    assert read_format(path) == PixelFormat(bands, {"uint8": 8, "uint16": 16, "float32": 32}[dtype])
    found, orientation = read_bands(path)
    np.testing.assert_array_equal(found, values)
    assert found.dtype == dtype and orientation == 1
    np.save(tmp_path / "a.npy", values)
    np.testing.assert_array_equal(read_bands(tmp_path / "a.npy")[0], values)


def test_a_fourth_band_is_dropped_only_where_it_is_declared_to_be_alpha(tmp_path: Path) -> None:
    values = RNG.integers(0, 256, (5, 7, 4)).astype(np.uint8)
    alpha = tiff(tmp_path / "alpha.tif", values, photometric="rgb", extrasamples=["unassalpha"])
    np.testing.assert_array_equal(read_image(alpha), values[:, :, :3])
    infrared = tiff(tmp_path / "infrared.tif", values, photometric="rgb", extrasamples=["unspecified"])
    assert read_format(infrared) == PixelFormat(4, 8)
    np.testing.assert_array_equal(read_bands(infrared)[0], values)
    with pytest.raises(DataError, match=r"infrared.tif: has 4 bands of type uint8; expected gray or RGB"):
        read_image(infrared)


def test_every_kind_of_tiff_has_the_values_that_were_saved(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    signed = rng.integers(-128, 128, (5, 7, 3)).astype(np.int8)
    np.testing.assert_array_equal(read_bands(tiff(tmp_path / "a.tif", signed, photometric="rgb"))[0], signed)
    np.testing.assert_array_equal(read_bands(tiff(tmp_path / "a.tif", signed[:, :, 0]))[0], signed[:, :, 0])
    three = rng.integers(0, 256, (5, 7, 3)).astype(np.uint8)
    np.testing.assert_array_equal(read_image(tiff(tmp_path / "a.tif", three, planarconfig="contig")), three)
    for dtype in ("uint8", "uint16"):
        white = rng.integers(0, 200, (5, 7)).astype(dtype)
        found, _ = read_bands(tiff(tmp_path / "a.tif", white, photometric="miniswhite"))
        np.testing.assert_array_equal(found, np.iinfo(dtype).max - white)
    five = rng.integers(0, 256, (5, 7, 5)).astype(np.uint8)
    path = tiff(tmp_path / "a.tif", five, photometric="rgb", extrasamples=["unspecified", "unassalpha"])
    np.testing.assert_array_equal(read_bands(path)[0], five[:, :, :4])


def test_evaluation_on_other_bands_is_an_error(tmp_path: Path) -> None:
    net = fcnlite.models.build("lite-fcn8s", classes=2, width=0.05, channels=3)
    net.info = ModelInfo(data.open("folder", field(tmp_path), bands=[3, 2, 1]).preprocessing)
    for bands in ((), (3, 2, 1)):
        evaluation.evaluate(net, data.open("folder", tmp_path, "val", bands=bands))
    with pytest.raises(DataError, match=r"trained on bands 3, 2, 1, but the data set has the option bands=1,2,3"):
        evaluation.evaluate(net, data.open("folder", tmp_path, "val", bands=[1, 2, 3]))


def test_other_numbers_become_float32(tmp_path: Path) -> None:
    heights = np.array([[-3, 700], [4000, -12]], np.int16)
    np.testing.assert_array_equal(read_bands(tiff(tmp_path / "dem.tif", heights))[0], heights.astype(np.float32))
    np.save(tmp_path / "x.npy", np.array([[0.5, 1e9]]))
    found, _ = read_bands(tmp_path / "x.npy")
    assert found.dtype == np.float32 and found.tolist() == [[0.5, 1e9]]


def _object_array() -> np.ndarray:
    return np.array([[{}, 1]], dtype=object)


@pytest.mark.parametrize(
    ("array", "error", "words"),
    [
        (_object_array(), FileError, "not a readable .npy file"),
        (np.zeros((3, 40, 50)), DataError, r"bands first; expected H×W×bands: save array.transpose\(1, 2, 0\)"),
        (np.zeros((40, 50, 17)), DataError, "17 bands; expected 1 to 16"),
        (np.zeros(4), DataError, "shape 4"),
        (np.zeros((4, 5), complex), DataError, "type complex128"),
        (np.array([[1.0, np.nan]]), DataError, "holds 1 NaN or infinite values"),
    ],
)
def test_arrays_that_are_no_pictures(tmp_path: Path, array: np.ndarray, error: type, words: str) -> None:
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    with pytest.raises(error, match=rf"a.npy: .*{words}"):
        read_bands(tmp_path / "a.npy")


def test_damaged_files_are_named(tmp_path: Path) -> None:
    whole = tiff(tmp_path / "a.tif", RNG.integers(0, 9, (40, 50, 6)).astype(np.uint16), planarconfig="contig")
    content = whole.read_bytes()
    for kept in (4, 30, 200, len(content) // 2):
        (tmp_path / "cut.tif").write_bytes(content[:kept])
        with pytest.raises((FileError, DataError), match=r"cut\.tif: "):
            read_bands(tmp_path / "cut.tif")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientations_are_those_of_pillow(orientation: int) -> None:
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = Image.fromarray(RNG.integers(0, 256, (4, 6, 3)).astype(np.uint8))
    picture.getexif()[0x0112] = orientation
    np.testing.assert_array_equal(upright(np.asarray(picture), orientation), ImageOps.exif_transpose(picture))


# Blobs


def test_the_chosen_bands_are_fed_less_their_mean_by_their_deviation() -> None:
    values = RNG.integers(0, 65536, (3, 4, 5)).astype(np.uint16)
    kind = Preprocessing("BANDS", (10.0, 20.0), 58.0, bits=16, std=(2.0, 4.0), bands=(5, 2), picture_bands=5)
    blob = to_blob(values, kind)
    assert blob.shape == (2, 3, 4) and blob.dtype == np.float32
    np.testing.assert_allclose(blob[0], (values[:, :, 4] - 10.0) * 58 / 2, rtol=1e-6)
    np.testing.assert_allclose(blob[1], (values[:, :, 1] - 20.0) * 58 / 4, rtol=1e-6)
    back = from_blob(blob, kind)
    np.testing.assert_array_equal(back[:, :, [4, 1]], values[:, :, [4, 1]])
    assert back.dtype == np.uint16 and not back[:, :, [0, 2, 3]].any()
    for wrong in (values[:, :, :4], values.astype(np.uint8), values[:, :, 0]):
        with pytest.raises(DataError, match=r"trained on pictures of 5 bands, type uint16"):
            to_blob(wrong, kind)


@given(st.integers(1, 6), st.sampled_from(["uint8", "uint16", "float32"]), st.integers(0, 2**32 - 1))
def test_augmentation_keeps_bands_together(bands: int, dtype: str, seed: int) -> None:
    label = np.arange(12, dtype=np.uint8).reshape(3, 4).repeat(6, 0).repeat(6, 1)
    image = np.stack([label * (band + 1) for band in range(bands)], axis=2).astype(dtype)
    image = image[:, :, 0] if bands == 1 else image
    numbers = tuple(range(1, bands + 1))
    bits = {"uint8": 8, "uint16": 16, "float32": 32}[dtype]
    kind = Preprocessing("BANDS", (200.0,) * bands, bits=bits, bands=numbers, picture_bands=bands)
    settings = Augment(flip=True, turn=True, scale=(0.7, 1.4), crop=(15, 17))
    out = augment(Sample({"data": image}, {"label": label}, "x"), settings, Streams(seed, 0, 0), kind)
    known = out.label != 255
    found = out.image[:, :, None] if bands == 1 else out.image
    assert out.image.dtype == dtype and found.shape[:2] == out.label.shape
    assert (found[~known] == 200).all()
    for band in range(bands):
        # Bilinear on every band alike, each rounded on its own.
        difference = found[known][:, band] - (band + 1.0) * found[known][:, 0]
        assert np.abs(difference).max(initial=0) <= (0.01 if dtype == "float32" else 1 + bands)


def test_how_pictures_are_fed_by_their_kind() -> None:
    for photograph in (PixelFormat(1, 8), PixelFormat(3, 8)):
        assert band_preprocessing(photograph) is None
    assert band_preprocessing(PixelFormat(3, 16)).bands == (3, 2, 1)
    assert band_preprocessing(PixelFormat(1, 32)).bands == (1, 1, 1)
    assert band_preprocessing(PixelFormat(6, 16)).bands == (1, 2, 3, 4, 5, 6)
    assert band_preprocessing(PixelFormat(4, 8), (4, 3, 2)).bands == (4, 3, 2)
    with pytest.raises(DataError, match=r"bands has 7, but the pictures have 6 bands of type uint16"):
        band_preprocessing(PixelFormat(6, 16), (7,))
    with pytest.raises(SpecError, match=r"bands 1, 9 of pictures of 6"):
        Preprocessing("BANDS", (0.0, 0.0), bands=(1, 9), picture_bands=6)


def test_a_picture_of_bands_is_shown_by_the_first_three() -> None:
    values = RNG.integers(0, 60000, (20, 20, 6)).astype(np.uint16)
    seen = show(values)
    assert seen.shape == (20, 20, 3) and seen.dtype == np.uint8 and seen.min() == 0 and seen.max() == 255
    assert show(values[:, :, :2]).shape == (20, 20, 3)


# A folder of such pictures


def field(root: Path, count: int = 8) -> Path:
    """Six bands of 16 bits; a patch differs from its ground in the fourth and fifth band alone."""
    for name in ("images", "labels"):
        (root / name).mkdir(parents=True)
    for i in range(count):
        label = np.zeros((32, 40), np.uint8)
        y, x = RNG.integers(2, 14, 2)
        label[y : y + 14, x : x + 18] = 1
        bands = RNG.normal(2000, 100, (32, 40, 6))
        bands[:, :, 4] += label * 900.0
        bands[:, :, 3] -= label * 300.0
        tiff(root / f"images/{i}.tif", bands.astype(np.uint16), planarconfig="contig")
        Image.fromarray(label).save(root / f"labels/{i}.png")
    return root


def test_mean_and_deviation_are_those_of_the_training_split(tmp_path: Path) -> None:
    root = field(tmp_path)
    train_set, val_set = (data.open("folder", root, split) for split in ("train", "val"))
    pixels = np.concatenate([train_set[i].image.reshape(-1, 6) for i in range(len(train_set))]).astype(np.float64)
    for each in (train_set, val_set):
        np.testing.assert_allclose(each.preprocessing.mean, pixels.mean(axis=0), rtol=1e-9)
        np.testing.assert_allclose(each.preprocessing.std, pixels.std(axis=0), rtol=1e-9)
    chosen = data.open("folder", root, bands=[5, 4]).preprocessing
    np.testing.assert_allclose(chosen.mean, pixels.mean(axis=0)[[4, 3]], rtol=1e-9)


def test_a_walk_from_six_bands_to_a_label_map(tmp_path: Path) -> None:
    root, run = field(tmp_path / "field"), tmp_path / "run"
    options = ["--width", "0.1", "--iterations", "40", "--batch-size", "4", "--out", str(run), "--check-every", "40"]
    train(["--data", "folder", "--root", str(root), *options])
    picture, out = root / "images/0.tif", tmp_path / "out"
    predict.main([str(run / "best.h5"), str(picture), "-o", str(out)])
    truth = np.asarray(Image.open(root / "labels/0.png"))
    assert np.mean(np.asarray(Image.open(out / "0.png")) == truth) > 0.8
    assert np.asarray(Image.open(out / "0_overlay.png")).ndim == 3
    segmenter = fcnlite.Segmenter(run / "best.h5")
    np.testing.assert_array_equal(segmenter(picture), segmenter(tifffile.imread(picture)))
    Image.fromarray(np.zeros((32, 40, 3), np.uint8)).save(tmp_path / "rgb.png")
    with pytest.raises(DataError, match=r"rgb.png: has 3 bands of type uint8; expected 6 bands of type uint16"):
        segmenter(tmp_path / "rgb.png")


def test_a_net_of_8_bits_refuses_16(tmp_path: Path) -> None:
    net = fcnlite.models.build("lite-fcn8s", classes=2, width=0.05)
    with pytest.raises(DataError, match=r"a.png: has 3 bands of type uint16, more than 8 bits"):
        fcnlite.Segmenter(net)(png16(tmp_path / "a.png", COLOR16))


def test_the_zoo_takes_any_number_of_channels() -> None:
    net = fcnlite.models.build("lite-fcn8s", classes=2, width=0.05, channels=5)
    assert net.params["conv1_1"][0].array.shape[1] == 5
    assert net.forward(data=np.zeros((1, 5, 20, 30)))["score"].shape == (1, 2, 20, 30)
    with pytest.raises(SpecError, match=r"takes several pictures"):
        fcnlite.models.describe("nyud-fcn32s-color-hha", channels=4)


def test_the_weight_file_keeps_how_bands_are_fed(tmp_path: Path) -> None:
    net = fcnlite.models.build("lite-fcn8s", classes=2, width=0.05, channels=2)
    kind = Preprocessing("BANDS", (1.5, 2.5), 58.0, bits=32, std=(0.5, 0.25), bands=(3, 1), picture_bands=4)
    net.info = ModelInfo(kind)
    net.save(tmp_path / "x.h5")
    assert fcnlite.load(tmp_path / "x.h5").info.preprocessing == kind
