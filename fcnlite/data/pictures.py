"""Pictures and label images from anybody's files: sizes are bounded, every failure names the file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

import numpy as np

from fcnlite.data.bands import ORIENTATION, PixelFormat, read_bands, upright
from fcnlite.data.picture_files import open_picture, refuse_size
from fcnlite.description.model_info import Preprocessing
from fcnlite.errors import DataError
from fcnlite.files import read_bytes

if TYPE_CHECKING:
    pass

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".ppm", ".pgm", ".npy")
"""What picture files are called, in lower case."""

_PNG_NOTES = (b"eXIf", b"tEXt", b"zTXt", b"iTXt")
"""Parts of a PNG that an orientation may be written in."""


Orientation = Literal["auto", "upright", "stored"]
"""Whether a camera's EXIF orientation is applied."""


def read_image(
    path: str | os.PathLike[str],
    label_size: tuple[int, int] | None = None,
    *,
    orientation: Orientation = "auto",
    preprocessing: Preprocessing = Preprocessing(),  # noqa: B008 - immutable
) -> np.ndarray:
    """The picture at `path` as `transforms.to_blob` takes it for `preprocessing`: H×W×3 uint8 RGB by default.

    Where that is expected, gray and palette pictures become RGB and an alpha channel is dropped; of 16 bits only gray
    pictures are taken (depth, X-rays), as H×W uint16. For BANDS all bands come as they are in the file, H×W×bands. A
    camera's EXIF orientation is applied, since people and annotation tools see the picture upright; only if
    `label_size` (width, height) is that of the picture as stored and not that of the upright one, it is taken as
    stored; unless `orientation` says which.
    Raises `FileError` if it cannot be read, `DataError` if it is too large or of another kind, holds several pages or
    is wholly transparent.
    """
    values, held = read_bands(path)
    turned = upright(values, held)
    fits_as_stored_alone = label_size == values.shape[1::-1] and label_size != turned.shape[1::-1]
    if orientation == "upright" or (orientation == "auto" and not fits_as_stored_alone):
        values = turned
    kind = PixelFormat.of(values)
    if preprocessing.color == "BANDS":
        wanted = PixelFormat(preprocessing.picture_bands, preprocessing.bits)
        if kind != wanted:
            raise DataError(f"{path}: has {kind}; expected {wanted}, which the net is trained on.")
        return np.ascontiguousarray(values)
    if preprocessing.bits == 16:
        if kind != PixelFormat(1, 16):
            raise DataError(f"{path}: is no gray picture of 16 bits, as is expected here; it has {kind}.")
        return np.ascontiguousarray(values)
    if kind.bits != 8:
        raise DataError(
            f"{path}: has {kind}, more than 8 bits; expected gray or RGB of 8 bits: convert it, so that you choose "
            "which range of brightness is kept, or train a net on such pictures."
        )
    if kind.bands not in (1, 3):
        raise DataError(
            f"{path}: has {kind}; expected gray or RGB: save the three bands that the net takes, or train a net on "
            "such pictures."
        )
    return np.repeat(values[:, :, None], 3, axis=2) if kind.bands == 1 else np.ascontiguousarray(values)


def read_gray_page(path: str | os.PathLike[str], page: int) -> np.ndarray:
    """Page `page` of a gray picture file (a TIFF may hold several) as H×W uint8.

    Raises `FileError` if it cannot be read, `DataError` if it is too large or not gray of 8 bits.
    """
    with open_picture(path) as image:
        image.seek(page)
        if image.mode not in ("1", "L"):
            raise DataError(f"{path}: is no gray picture of 8 bits ({image.mode}), as is expected here.")
        refuse_size(path, image)
        return np.array(image.convert("L"))


def count_pages(path: str | os.PathLike[str]) -> int:
    """How many pictures the file holds. Raises `FileError` and `DataError` as `read_gray_page` does."""
    with open_picture(path) as image:
        return int(getattr(image, "n_frames", 1))


def show(image: np.ndarray) -> np.ndarray:
    """A picture for people, H×W×3 uint8.

    Gray values of more than 8 bits are stretched between their extremes, 0 apart. Of several bands the first three are
    red, green and blue (of two, the first is gray); but for three of 8 bits, each is stretched between its 1st and 99th
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
    factor = 255 / (high - low) if high > low else 255.0
    return np.clip((values.astype(np.float32) - np.float32(low)) * np.float32(factor), 0, 255).astype(np.uint8)


def orientation_of(path: str | os.PathLike[str]) -> tuple[int, tuple[int, int]]:
    """The EXIF orientation of a picture, 1 (as stored) to 8, and its size as stored: width, height.

    Raises `FileError` if it cannot be read, `DataError` if it is too large.
    """
    with open_picture(path) as image:
        size = image.size
        if image.format == "PNG" and not any(kind in read_bytes(path) for kind in _PNG_NOTES):
            return 1, size  # asked for it, Pillow would decode the whole picture
        found = image.getexif().get(ORIENTATION, 1)
        return (found if found in range(1, 9) else 1), size


def size_of(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Width and height as stored. Raises as `orientation_of` does."""
    with open_picture(path) as image:
        return image.size
