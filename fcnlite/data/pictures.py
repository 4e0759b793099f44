"""Reads untrusted picture files: sizes are bounded, and every error names the file."""

from __future__ import annotations

import os
from typing import Literal

import numpy as np

from fcnlite.data.bands import PixelFormat, exif_orientation, read_bands, upright
from fcnlite.data.picture_files import open_picture, refuse_size
from fcnlite.description.model_info import Preprocessing
from fcnlite.errors import DataError
from fcnlite.files import read_bytes

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".ppm", ".pgm", ".npy")
"""The extensions of picture files, in lower case."""

_PNG_NOTES = (b"eXIf", b"tEXt", b"zTXt", b"iTXt")
"""The chunks of a PNG that may hold an orientation."""


Orientation = Literal["auto", "upright", "stored"]
"""Whether the EXIF orientation of a picture is applied: as the size of its label requires, always, or never."""


def read_image(
    path: str | os.PathLike[str],
    label_size: tuple[int, int] | None = None,
    *,
    orientation: Orientation = "auto",
    preprocessing: Preprocessing = Preprocessing(),  # noqa: B008 - immutable
) -> np.ndarray:
    """Read the picture at `path` in the form that `transforms.to_blob` takes for `preprocessing`.

    For 8 bits this is H×W×3 uint8 RGB: gray and palette pictures become RGB, and an alpha channel is dropped. For 16
    bits it is H×W uint16, and the picture must be gray (depth, X-rays). For BANDS it is H×W×bands, as stored.

    The EXIF orientation is applied, since viewers and annotation tools show the picture upright. With the orientation
    `auto` there is one exception: if `label_size` (width, height) fits only the picture as stored, it is not applied.
    Raises `FileError` if the file cannot be read, and `DataError` if it is too large or of another format, holds
    several pages or is fully transparent.
    """
    values, exif = read_bands(path)
    upright_values = upright(values, exif)
    fits_only_as_stored = label_size == values.shape[1::-1] and label_size != upright_values.shape[1::-1]
    if orientation == "upright" or (orientation == "auto" and not fits_only_as_stored):
        values = upright_values
    found = PixelFormat.of(values)
    if preprocessing.color == "BANDS":
        wanted = PixelFormat(preprocessing.picture_bands, preprocessing.bits)
        if found != wanted:
            raise DataError(f"{path}: has {found}; expected {wanted}, which the net was trained on.")
        return np.ascontiguousarray(values)
    if preprocessing.bits == 16:
        if found != PixelFormat(1, 16):
            raise DataError(f"{path}: has {found}; expected a 16-bit gray picture.")
        return np.ascontiguousarray(values)
    if found.bits != 8:
        raise DataError(
            f"{path}: has {found}, more than 8 bits; expected 8-bit gray or RGB: convert it and choose which range of "
            "brightness is kept, or train a net on such pictures."
        )
    if found.bands not in (1, 3):
        raise DataError(
            f"{path}: has {found}; expected gray or RGB: save the three bands that the net takes, or train a net on "
            "such pictures."
        )
    return np.repeat(values[:, :, None], 3, axis=2) if found.bands == 1 else np.ascontiguousarray(values)


def read_gray_page(path: str | os.PathLike[str], page: int) -> np.ndarray:
    """Read page `page` of a gray picture file (a TIFF may hold several pages) as H×W uint8.

    Raises `FileError` if it cannot be read, `DataError` if it is too large or not 8-bit gray.
    """
    with open_picture(path) as image:
        image.seek(page)
        if image.mode not in ("1", "L"):
            raise DataError(f"{path}: is not an 8-bit gray picture ({image.mode}); expected slices in 8-bit gray.")
        refuse_size(path, image)
        return np.array(image.convert("L"))


def count_pages(path: str | os.PathLike[str]) -> int:
    """The number of pages in a picture file. Raises errors like `read_gray_page`."""
    with open_picture(path) as image:
        return int(getattr(image, "n_frames", 1))


def show(image: np.ndarray) -> np.ndarray:
    """Convert a picture to H×W×3 uint8 for display.

    8-bit RGB stays as it is. One band is stretched between its extremes, without 0, and shown gray. The first three of
    several bands are shown as red, green and blue (of two, the first as gray), each stretched between its 1st and 99th
    percentile.
    """
    if image.dtype == np.uint8 and image.shape[2:] == (3,):
        return image
    if image.ndim == 2:
        known = image[image > 0]
        low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
        return np.repeat(_stretched(image, low, high)[:, :, None], 3, axis=2)
    bands = [image[:, :, band] for band in (range(3) if image.shape[2] >= 3 else (0, 0, 0))]
    return np.stack([_stretched(band, *np.percentile(band, (1, 99))) for band in bands], axis=2)


def _stretched(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """`values` scaled so that `low` becomes 0 and `high` 255, clipped to uint8."""
    factor = 255 / (high - low) if high > low else 255.0
    scaled = values.astype(np.float32)  # the only copy of the picture in four bytes a value
    scaled -= np.float32(low)
    scaled *= np.float32(factor)
    return np.clip(scaled, 0, 255, out=scaled).astype(np.uint8)


def orientation_of(path: str | os.PathLike[str]) -> tuple[int, tuple[int, int]]:
    """Read the EXIF orientation of a picture, 1 (as stored) to 8, and its stored size (width, height).

    Raises `FileError` if it cannot be read, `DataError` if it is too large.
    """
    with open_picture(path) as image:
        size = image.size
        if image.format == "PNG" and not any(chunk in read_bytes(path) for chunk in _PNG_NOTES):
            return 1, size  # Pillow would decode the whole picture to find no orientation
        return exif_orientation(image), size


def size_of(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Read the stored width and height. Raises errors like `orientation_of`."""
    with open_picture(path) as image:
        return image.size
