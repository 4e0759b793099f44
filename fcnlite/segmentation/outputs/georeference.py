"""The georeference of a GeoTIFF: which place on the map a pixel has, and the tags that say so.

A label map of the same size keeps the tags, byte for byte in their meaning, so that GIS programs place it as they place
the picture. The format: OGC GeoTIFF Standard 1.1, sections 7 (tags) and 8 (keys).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fcnlite.arrays import Array
from fcnlite.data.bands import ORIENTATION
from fcnlite.errors import DataError, FcnliteError, FileError
from fcnlite.files import atomic_write, reading

_SCALE, _TIEPOINT, _TRANSFORMATION, _KEYS = 33550, 33922, 34264, 34735
_TAGS = (_SCALE, _TIEPOINT, _TRANSFORMATION, _KEYS, 34736, 34737)
_RASTER_TYPE, _GEOGRAPHIC, _PROJECTED = 1025, 2048, 3072
_POINT = 2
_USER_DEFINED = 32767
_NO_DATA = 42113  # GDAL's tag
_OTHERS = (ORIENTATION, _NO_DATA)
_DOUBLE, _SHORT, _ASCII = 12, 3, 2


@dataclass(frozen=True)
class Georeference:
    """A map from pixels to map coordinates, the tags that it comes from, and the number of its coordinate system."""

    affine: Array
    """2×3: x and y on the map are `affine` · (column, row, 1), for corners of pixels."""
    tags: Sequence[tuple[int, int, int, Any, bool]]
    """The tags in the form in which tifffile writes them."""
    epsg: int | None
    """The EPSG number of the coordinate system; None if the file does not name one."""
    no_data: float | None = None
    """The value of pixels that hold nothing, in all bands; None if the file does not name one."""

    @staticmethod
    def read(path: str | os.PathLike[str]) -> Georeference:
        """The georeference of a TIFF file.

        Raises `FileError` if it cannot be read, `DataError` if it has no georeference or a broken one.
        """
        import tifffile

        try:
            with reading(path) as stream, tifffile.TiffFile(stream) as file:
                page: Any = file.pages[0]
                tags = {int(tag.code): tag.value for tag in page.tags if int(tag.code) in (*_TAGS, *_OTHERS)}
        except FcnliteError:
            raise
        except Exception as error:  # tifffile raises a dozen types for damaged and other files
            raise DataError(f"{path}: is not a readable TIFF file, which --geotiff needs ({error}).") from error
        if tags.pop(ORIENTATION, 1) != 1:
            raise DataError(f"{path}: has an EXIF orientation beside its georeference; save it upright.")
        no_data = _number(tags.pop(_NO_DATA, None), path)
        if not tags:
            raise DataError(f"{path}: has no georeference; leave out --geotiff, or give a GeoTIFF.")
        keys = _keys(tags.get(_KEYS), path)
        affine = _affine(tags, path)
        if keys.get(_RASTER_TYPE) == _POINT:
            affine = affine.copy()
            affine[:, 2] -= affine[:, :2] @ (0.5, 0.5)
        number = next((keys[each] for each in (_PROJECTED, _GEOGRAPHIC) if each in keys), None)
        return Georeference(
            affine,
            [_written(code, value) for code, value in sorted(tags.items())],
            (number if number is not None and 0 < number < _USER_DEFINED else None),
            no_data,
        )

    @property
    def pixel_area(self) -> float:
        """The area of a pixel in square units of the map."""
        return float(abs(np.linalg.det(self.affine[:, :2])))

    def empty(self, picture: Array) -> Array | None:
        """Which pixels of a picture, H×W or H×W×bands, hold nothing, H×W; None without a value for them."""
        if self.no_data is None or not _fits(self.no_data, picture.dtype):
            return None
        found = picture == picture.dtype.type(self.no_data)
        return np.asarray(found if found.ndim == 2 else found.all(axis=2))

    def place(self, corners: Array) -> Array:
        """N×2 columns and rows as N×2 map coordinates."""
        return np.asarray(corners @ self.affine[:, :2].T + self.affine[:, 2])


def write_tiff(
    path: Path, values: Array, about: str, reference: Georeference | None, no_data: int | None = None
) -> None:
    """Write H×W or C×H×W `values` as a compressed TIFF, with the tags of `reference`.

    `about` becomes the description, in ASCII. Raises `FileError` if the file cannot be written.
    """
    import tifffile

    tags = [] if reference is None else [*reference.tags]
    if no_data is not None:
        tags.append((_NO_DATA, _ASCII, 0, str(no_data), True))
    planar: dict[str, Any] = {} if values.ndim == 2 else {"planarconfig": "separate"}
    text = about.encode("ascii", "backslashreplace").decode("ascii")
    try:
        with atomic_write(path) as temporary:
            tifffile.imwrite(
                temporary,
                values,
                photometric="minisblack",
                compression="zlib",
                metadata=None,
                description=text,
                extratags=tags,
                **planar,
            )
    except ValueError as error:
        raise FileError(f"{path}: cannot be written as TIFF ({error}).") from error


def _affine(tags: Mapping[int, Any], path: str | os.PathLike[str]) -> Array:
    """2×3 from the scale and one tie point, or from the matrix."""
    if _TRANSFORMATION in tags:
        matrix = _floats(tags[_TRANSFORMATION], 16, path).reshape(4, 4)
        affine = matrix[:2, [0, 1, 3]]
    elif _SCALE in tags and _TIEPOINT in tags:
        scale, point = _floats(tags[_SCALE], 3, path), _floats(tags[_TIEPOINT], 6, path)
        column, row, _, x, y, _ = point
        affine = np.array([[scale[0], 0, x - column * scale[0]], [0, -scale[1], y + row * scale[1]]])
    else:
        raise DataError(
            f"{path}: its georeference is broken: expected a scale and a tie point, or a matrix; ground control points "
            "alone do not place pixels: warp the picture first."
        )
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:, :2])) < 1e-300:
        raise DataError(f"{path}: its georeference is broken: its pixels have no area on the map.")
    return np.asarray(affine, np.float64)


def _floats(value: Any, count: int, path: str | os.PathLike[str]) -> Array:
    try:
        found = np.array(value, np.float64).ravel()
    except (ValueError, TypeError) as error:
        raise DataError(f"{path}: its georeference is broken: {error}.") from error
    if len(found) != count:
        raise DataError(f"{path}: its georeference is broken: a tag has {len(found)} numbers, expected {count}.")
    return found


def _number(text: Any, path: str | os.PathLike[str]) -> float | None:
    """The value of pixels without data, which the tag has as text."""
    if text is None:
        return None
    try:
        return float(text)
    except (ValueError, TypeError) as error:
        raise DataError(f"{path}: its value for no data is {text!r}; expected a number.") from error


def _fits(number: float, dtype: Any) -> bool:
    """Whether values of the type can be this number."""
    if dtype.kind == "f":
        return True
    limits = np.iinfo(dtype)
    return number.is_integer() and limits.min <= number <= limits.max


def _keys(value: Any, path: str | os.PathLike[str]) -> dict[int, int]:
    """The keys whose values are in the directory itself. Raises `DataError` for a damaged directory."""
    if value is None:
        return {}
    try:
        numbers = [int(each) for each in value]
    except (ValueError, TypeError):
        numbers = []
    if len(numbers) < 4 or len(numbers) < 4 + 4 * numbers[3]:
        raise DataError(f"{path}: its georeference is broken: the directory of keys is cut off.")
    rows = (numbers[4 + 4 * i : 8 + 4 * i] for i in range(numbers[3]))
    return {key: number for key, place, _, number in rows if place == 0}


def _written(code: int, value: Any) -> tuple[int, int, int, Any, bool]:
    """A tag as tifffile writes it."""
    if isinstance(value, str):
        return code, _ASCII, 0, value, True
    numbers = tuple(value) if isinstance(value, (tuple, list, np.ndarray)) else (value,)
    return code, _SHORT if code == _KEYS else _DOUBLE, len(numbers), numbers, True
