"""Reading pictures and labels, good and bad."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcnlite.data.bands import read_orientation
from fcnlite.data.label_files import read_label, read_numbers
from fcnlite.data.picture_files import MAX_PIXELS
from fcnlite.data.pictures import orientation_of, read_image
from fcnlite.errors import DataError, FileError

RGB = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def png(path: Path, width: int, height: int, depth: int, color: int, rows: bytes) -> Path:
    """A PNG by hand: `rows` are the packed pixels, each row led by its filter byte."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    signature = b"\x89PNG\r\n\x1a\n"
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(signature + body)
    return path


def test_every_kind_of_picture_becomes_rgb(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(RGB).save(path)
    assert np.array_equal(read_image(path), RGB)

    alpha = np.dstack([RGB, np.full((5, 7), 9, np.uint8)])
    Image.fromarray(alpha).save(path)
    assert np.array_equal(read_image(path), RGB)

    Image.fromarray(RGB[:, :, 0]).save(path)
    assert np.array_equal(read_image(path), np.repeat(RGB[:, :, :1], 3, axis=2))

    palette = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8), mode="P")
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.save(path)
    assert read_image(path).tolist() == [[[10, 20, 30], [40, 50, 60]], [[40, 50, 60], [10, 20, 30]]]


def test_sixteen_bit_pictures_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    Image.fromarray(np.full((2, 2), 4000, np.uint16)).save(path)
    with pytest.raises(DataError, match=r"deep.png: .*more than 8 bits.*convert it"):
        read_image(path)


def test_the_orientation_is_applied_unless_only_the_stored_size_fits_the_label(tmp_path: Path) -> None:
    path = tmp_path / "phone.png"
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90° clockwise to show it upright
    Image.fromarray(RGB).save(path, exif=exif)
    upright = np.rot90(RGB, -1)
    assert np.array_equal(read_image(path), upright)
    assert np.array_equal(read_image(path, label_size=(5, 7)), upright)
    assert np.array_equal(read_image(path, label_size=(7, 5)), RGB)


def test_labels_are_read_as_numbers_never_as_colors(tmp_path: Path) -> None:
    numbers = np.array([[0, 3, 255], [7, 1, 0]], np.uint8)
    path = tmp_path / "label.png"
    Image.fromarray(numbers).save(path)
    assert np.array_equal(read_label(path), numbers)

    palette = Image.fromarray(numbers, mode="P")
    palette.putpalette([200, 100, 50] * 256)
    palette.save(path)
    assert np.array_equal(read_label(path), numbers)

    Image.fromarray(numbers.astype(np.uint16)).save(path)
    assert np.array_equal(read_label(path), numbers)
    assert read_label(path).dtype == np.uint8


@pytest.mark.parametrize(
    ("depth", "rows", "expected"),
    [
        (1, b"\x00\xa0", [1, 0, 1]),
        (2, b"\x00\x6c", [1, 2, 3]),
        (4, b"\x00\x1a\xf0", [1, 10, 15]),
    ],
)
def test_gray_of_few_bits_is_not_stretched(tmp_path: Path, depth: int, rows: bytes, expected: list[int]) -> None:
    assert read_label(png(tmp_path / "few.png", 3, 1, depth, 0, rows)).tolist() == [expected]


def test_labels_that_hold_no_class_numbers(tmp_path: Path) -> None:
    path = tmp_path / "label.png"
    Image.fromarray(np.full((2, 2), 300, np.uint16)).save(path)
    with pytest.raises(DataError, match=r"label.png: is a 16-bit file with values up to 300"):
        read_label(path)
    Image.fromarray(RGB).save(path)
    with pytest.raises(DataError, match=r"label.png: holds colours \(RGB\).*save the label as"):
        read_label(path)
    Image.fromarray(RGB[:, :, 0]).save(path, format="JPEG")
    with pytest.raises(DataError, match=r"label.png: is a JPEG file; labels must be PNG"):
        read_label(path)


@pytest.mark.parametrize("read", [read_image, read_label])
def test_files_that_cannot_be_read_are_named(tmp_path: Path, read) -> None:
    with pytest.raises(FileError, match=r"gone.png: no such file"):
        read(tmp_path / "gone.png")
    with pytest.raises(FileError, match=r"cannot be read"):
        read(tmp_path)
    text = tmp_path / "text.png"
    text.write_text("no picture")
    with pytest.raises(FileError, match=r"text.png: is not a picture"):
        read(text)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_file_that_ends_halfway_is_damaged(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"half.{suffix}"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(FileError, match=f"half.{suffix}: is damaged"):
        read_image(path)


@pytest.mark.parametrize("side", [12000, 60000])
def test_huge_pictures_are_refused_before_they_are_decoded(tmp_path: Path, side: int) -> None:
    """The file claims side×side pixels and holds none; the larger one is beyond Pillow's own limit too."""
    path = png(tmp_path / "bomb.png", side, side, 8, 0, b"")
    for read in (read_image, read_label):
        with pytest.raises(DataError, match=r"bomb.png: is too large"):
            read(path)
    assert side * side > MAX_PIXELS


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's own, on damaged TIFF tags
def test_any_bytes_end_in_our_errors(tmp_path: Path) -> None:
    """Random damage to good files: an array of the right kind or an error that names the file."""
    sources = []
    for suffix in ("png", "jpg", "gif", "tif", "bmp", "webp"):
        path = tmp_path / f"good.{suffix}"
        Image.fromarray(RGB.repeat(4, 0).repeat(4, 1)).save(path)
        sources.append(path.read_bytes())
    rng = np.random.default_rng(1)
    path = tmp_path / "x.png"
    refused = 0
    for _ in range(300):
        content = bytearray(sources[rng.integers(len(sources))])
        for _ in range(rng.integers(1, 6)):
            content[rng.integers(len(content))] = rng.integers(256)
        path.write_bytes(content)
        for read in (read_image, read_label):
            try:
                array = read(path)
            except (FileError, DataError) as error:
                assert "x.png" in str(error)
                refused += 1
            else:
                assert array.dtype == np.uint8
    assert refused > 0


def test_files_of_several_pictures_are_refused(tmp_path: Path) -> None:
    pages = [Image.fromarray(RGB), Image.fromarray(RGB[::-1].copy())]
    for suffix in ("tif", "gif", "png", "webp"):
        path = tmp_path / f"pages.{suffix}"
        pages[0].save(path, save_all=True, append_images=pages[1:])
        with pytest.raises(DataError, match=rf"pages.{suffix}: holds several pictures"):
            read_image(path)
    smaller = Image.fromarray(RGB[:3, :3].copy())
    pages[0].save(tmp_path / "map.tif", save_all=True, append_images=[smaller])
    assert np.array_equal(read_image(tmp_path / "map.tif"), RGB)


def test_wholly_transparent_pictures_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "clear.png"
    for mode in ("RGBA", "LA"):
        Image.new(mode, (7, 5)).save(path)
        with pytest.raises(DataError, match=r"clear.png: is fully transparent"):
            read_image(path)
    palette = Image.new("P", (7, 5), 1)
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.save(path, transparency=1)
    with pytest.raises(DataError, match=r"clear.png: is fully transparent"):
        read_image(path)
    one = np.dstack([RGB, np.zeros((5, 7), np.uint8)])
    one[2, 2, 3] = 255
    Image.fromarray(one).save(path)
    assert np.array_equal(read_image(path), RGB)


def test_tiff_labels_are_read_unless_they_lose_numbers(tmp_path: Path) -> None:
    """As GIS programs save masks."""
    values = np.random.default_rng(0).integers(0, 5, (32, 48), dtype=np.uint8)
    for name, how in (("a.tif", {}), ("b.tiff", {"compression": "tiff_lzw"})):
        Image.fromarray(values).save(tmp_path / name, **how)
        np.testing.assert_array_equal(read_label(tmp_path / name), values)
    Image.fromarray(values).save(tmp_path / "jpeg.tif", compression="jpeg")
    with pytest.raises(DataError, match=r"jpeg.tif: is a TIFF file with JPEG compression; labels must be PNG or TIFF"):
        read_label(tmp_path / "jpeg.tif")
    Image.fromarray(values).save(tmp_path / "two.tif", save_all=True, append_images=[Image.fromarray(values)])
    with pytest.raises(DataError, match=r"two.tif: holds several pictures"):
        read_label(tmp_path / "two.tif")


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (np.array([[0, -1]], np.int32), "-1"),
        (np.array([[0, -254]], np.int32), "-254"),  # as a byte it would be class 2
        (np.array([[0, -3]], np.float32), "-3"),
        (np.array([[0, 1.5]], np.float32), "1.5"),
        (np.array([[0, np.nan]], np.float32), "nan"),
        (np.array([[0, np.inf]], np.float32), "inf"),
    ],
)
def test_tiff_labels_of_other_numbers_than_classes(tmp_path: Path, values: np.ndarray, found: str) -> None:
    Image.fromarray(values).save(tmp_path / "label.tif")
    for read in (read_label, read_numbers):
        with pytest.raises(DataError, match=rf"label.tif: holds {found}; expected class numbers"):
            read(tmp_path / "label.tif")


def test_tiff_labels_may_hold_whole_numbers_of_any_type(tmp_path: Path) -> None:
    for dtype in (np.float32, np.int32):
        Image.fromarray(np.array([[0, 1], [255, 2]], dtype)).save(tmp_path / "label.tif")
        assert read_label(tmp_path / "label.tif").tolist() == [[0, 1], [255, 2]]


def test_an_orientation_that_is_no_orientation_is_none(tmp_path: Path) -> None:
    for value in (9, 0):
        exif = Image.Exif()
        exif[0x0112] = value
        Image.fromarray(RGB).save(tmp_path / "a.png", exif=exif)
        np.testing.assert_array_equal(read_image(tmp_path / "a.png"), RGB)
        assert orientation_of(tmp_path / "a.png")[0] == read_orientation(tmp_path / "a.png") == 1
