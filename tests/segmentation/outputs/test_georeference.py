"""Georeferences: read from the tags of a TIFF file, kept in files that are written, broken ones named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from fcnlite.errors import DataError
from fcnlite.segmentation.outputs.georeference import Georeference, write_tiff

UTM32 = (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32632)
POINT = (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 2, 3072, 0, 1, 32632)
DEGREES = (1, 1, 0, 2, 1024, 0, 1, 2, 2048, 0, 1, 4326)
SCALE, TIE = (0.5, 0.25, 0.0), (0.0, 0.0, 0.0, 500000.0, 5300000.0, 0.0)


def geotiff(path: Path, values: np.ndarray, keys: Any = UTM32, scale: Any = SCALE, tie: Any = TIE) -> Path:
    tags = [(33550, 12, len(scale), scale, True)] if scale is not None else []
    tags += [(33922, 12, len(tie), tie, True)] if tie is not None else []
    tags += [(34735, 3, len(keys), keys, True), (34737, 2, 0, "WGS 84 / UTM zone 32N|", True)]
    tifffile.imwrite(
        path, values, photometric="rgb" if values.ndim == 3 else "minisblack", extratags=tags, metadata=None
    )
    return path


VALUES = np.zeros((4, 6, 3), np.uint8)


def test_pixels_are_placed_on_the_map(tmp_path: Path) -> None:
    found = Georeference.read(geotiff(tmp_path / "a.tif", VALUES))
    assert found.epsg == 32632
    assert found.pixel_area == pytest.approx(0.125)
    np.testing.assert_array_equal(found.place(np.array([[0, 0], [6, 4]])), [[500000, 5300000], [500003, 5299999]])
    # Where the tie point is the centre of a pixel, its corner is half a pixel beside it.
    centred = Georeference.read(geotiff(tmp_path / "b.tif", VALUES, POINT))
    np.testing.assert_array_equal(centred.place(np.array([[0, 0]])), [[499999.75, 5300000.125]])
    assert Georeference.read(geotiff(tmp_path / "c.tif", VALUES, DEGREES)).epsg == 4326


def test_written_files_have_the_same_georeference(tmp_path: Path) -> None:
    before = Georeference.read(geotiff(tmp_path / "a.tif", VALUES))
    labels = np.arange(24, dtype=np.uint8).reshape(4, 6)
    planes = np.arange(48, dtype=np.uint16).reshape(2, 4, 6)
    for name, values in (("labels.tif", labels), ("planes.tif", planes)):
        write_tiff(tmp_path / name, values, "classes: Gräser", before, 255)
        after = Georeference.read(tmp_path / name)
        np.testing.assert_array_equal(after.affine, before.affine)
        assert (after.epsg, list(after.tags)) == (before.epsg, list(before.tags))
        np.testing.assert_array_equal(tifffile.imread(tmp_path / name), values)
    with tifffile.TiffFile(tmp_path / "planes.tif") as file:
        tags = file.pages[0].tags  # type: ignore[union-attr]
        assert (tags["SamplesPerPixel"].value, tags[42113].value) == (2, "255")
        assert tags["ImageDescription"].value == "classes: Gr\\xe4ser"
        assert tags[34737].value == "WGS 84 / UTM zone 32N|"


def test_a_turned_picture_has_a_matrix(tmp_path: Path) -> None:
    """30 degrees, pixels of 2 by 2 metres, as GDAL writes it: x = x0 + a·column + b·row."""
    a, b = 2 * np.cos(np.pi / 6), 2 * np.sin(np.pi / 6)
    matrix = (a, b, 0.0, 500000.0, b, -a, 0.0, 5300000.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    path = tmp_path / "a.tif"
    tags = [(34264, 12, 16, matrix, True), (34735, 3, len(UTM32), UTM32, True)]
    tifffile.imwrite(path, VALUES, photometric="rgb", extratags=tags, metadata=None)
    found = Georeference.read(path)
    assert found.pixel_area == pytest.approx(4)
    np.testing.assert_allclose(found.place(np.array([[3, 1]])), [[500000 + 3 * a + b, 5300000 + 3 * b - a]])
    write_tiff(tmp_path / "b.tif", np.zeros((4, 6), np.uint8), "classes", found, 255)
    np.testing.assert_array_equal(Georeference.read(tmp_path / "b.tif").affine, found.affine)


@pytest.mark.parametrize(
    ("text", "dtype", "empty"),
    [("0", np.uint16, 2), ("-9999", np.float32, 0), ("-9999", np.uint16, None), ("7.5", np.float32, 1)],
)
def test_pixels_without_data(text: str, dtype: type, empty: int | None, tmp_path: Path) -> None:
    values = np.full((3, 4, 4), 5, dtype)
    values[0, :2] = 0
    values[1, 0, 0] = 0  # one band alone is no empty pixel
    values[2, 3] = 7.5
    tags = [(33550, 12, 3, SCALE, True), (33922, 12, 6, TIE, True), (42113, 2, 0, text, True)]
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="minisblack", planarconfig="contig", extratags=tags)
    found = Georeference.read(tmp_path / "a.tif").empty(values)
    assert (None if found is None else (found.shape, found.sum())) == (None if empty is None else ((3, 4), empty))
    tags[2] = (42113, 2, 0, "none", True)
    tifffile.imwrite(tmp_path / "b.tif", values, photometric="minisblack", planarconfig="contig", extratags=tags)
    with pytest.raises(DataError, match=r"b\.tif: its value for no data is 'none'; expected a number"):
        Georeference.read(tmp_path / "b.tif")


@pytest.mark.parametrize(
    "change, words",
    [
        ({"scale": None}, "expected a scale and a tie point, or a matrix"),
        ({"scale": (0.0, 0.25, 0.0)}, "its pixels have no area on the map"),
        ({"scale": (float("nan"), 0.25, 0.0)}, "its pixels have no area on the map"),
        ({"tie": (0.0, 0.0, 0.0)}, "a tag has 3 numbers, expected 6"),
        ({"keys": (1, 1, 0, 9, 1024, 0, 1, 1)}, "the directory of keys is cut off"),
    ],
)
def test_broken_georeferences_are_named(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"a.tif: its georeference is broken: .*{words}"):
        Georeference.read(geotiff(tmp_path / "a.tif", VALUES, **change))


def test_files_without_georeference(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", VALUES, photometric="rgb")
    (tmp_path / "b.tif").write_text("x")
    for name, words in (("a.tif", "has no georeference; leave out --geotiff"), ("b.tif", "is not a readable TIFF")):
        with pytest.raises(DataError, match=words):
            Georeference.read(tmp_path / name)
