"""Reads pictures with any number of bands, of 8 or 16 bits or floating point, with their values unchanged.

tifffile reads the TIFF files that Pillow does not read exactly; NumPy reads `.npy` files. Values are never rescaled:
a 12-bit picture stored in 16 bits has values up to 4095.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fcnlite.data.picture_files import (
    MAX_PIXELS,
    open_picture,
    refuse_bytes,
    refuse_pages,
    refuse_transparent,
    too_large,
)
from fcnlite.description.model_info import MOST_BANDS, PICTURE_TYPES
from fcnlite.errors import DataError, FcnliteError, FileError, brief
from fcnlite.files import NPY, read_npy, reading

if TYPE_CHECKING:
    from PIL import Image, ImageFile

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
ORIENTATION = 0x0112  # a tag of EXIF and of TIFF
_DEEP_COLORS = {"RGB;16B": "RGB;16L", "RGBA;16B": "RGBA;16L"}
"""Pillow's decoders for the 16-bit colours of a PNG: the one for the high bytes, and the one for the low bytes."""
_EXACT = {("u", 1), ("u", 2), ("u", 4), ("u", 8), ("u", 16), ("i", 16), ("i", 32), ("f", 32)}
"""NumPy kinds and bits of the gray TIFF files that Pillow reads exactly."""
_COLORS = ("RGB", "YCBCR", "CIELAB")

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # else standard error shows its remarks on bad files


class PixelFormat(NamedTuple):
    """The number of bands of a picture, and their type."""

    bands: int
    """Bands, not counting a declared alpha channel."""
    bits: int
    """8 (uint8), 16 (uint16) or 32 (float32, to which other types are converted)."""

    @staticmethod
    def of(values: np.ndarray) -> PixelFormat:
        """The format of an array that `read_bands` returns."""
        return PixelFormat(values.shape[2] if values.ndim == 3 else 1, _bits(values.dtype))

    def __str__(self) -> str:
        return f"{self.bands} band{'s' * (self.bands != 1)} of type {PICTURE_TYPES[self.bits]}"


class _OpenPicture(NamedTuple):
    """A picture file whose header has been read."""

    format: PixelFormat
    read: Callable[[], np.ndarray]
    """Decodes the file: H×W for one band, else H×W×bands."""
    orientation: int = 1
    """The EXIF orientation, 1 to 8: how the camera was held."""


def read_format(path: str | os.PathLike[str]) -> PixelFormat:
    """Read the bands and bits of a picture file from its header. Raises errors like `read_bands`."""
    with _opened(path) as found:
        return found.format


def read_bands(path: str | os.PathLike[str]) -> tuple[np.ndarray, int]:
    """Read the values of a picture file as they are stored, and the EXIF orientation for `upright`.

    The values are H×W for one band, else H×W×bands, of uint8, uint16 or float32. Palette pictures become RGB; a
    declared alpha channel is dropped. Raises `FileError` for a file that cannot be read, and `DataError` for one that
    is too large, has more than 16 bands or several pages, or holds NaN.
    """
    with _opened(path) as found:
        values = found.read()
        orientation = found.orientation
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        count = int(values.size - np.isfinite(values).sum())
        raise DataError(f"{path}: holds {count} NaN or infinite values (no data); fill them first.")
    return values, orientation


def read_orientation(path: str | os.PathLike[str]) -> int:
    """The EXIF orientation of a picture file, 1 to 8. Raises errors like `read_bands`."""
    with _opened(path) as found:
        return found.orientation


def exif_orientation(image: Image.Image) -> int:
    """The orientation that EXIF gives to a picture: 1 (as stored) to 8, and 1 for anything else."""
    found = image.getexif().get(ORIENTATION)
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def upright(values: np.ndarray, orientation: int) -> np.ndarray:
    """`values` with the EXIF orientation (1 to 8) applied. For 1 and any other number they are unchanged."""
    if orientation in (5, 6, 7, 8):  # stored transposed
        values = values.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return values


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[_OpenPicture]:
    with reading(path) as stream:
        start = stream.read(6)
    if start == NPY:
        yield _in_npy(path)
    elif start[:4] in _TIFF:
        with _tiff(path) as found:
            yield found
    else:
        with open_picture(path) as image:
            yield _in_picture(path, image)._replace(orientation=exif_orientation(image))


def _in_npy(path: str | os.PathLike[str]) -> _OpenPicture:
    values = read_npy(path)
    if values.dtype.kind not in "buif" or values.ndim not in (2, 3):
        raise DataError(
            f"{path}: holds an array of shape {'×'.join(map(str, values.shape))} and type {values.dtype}; expected "
            "numbers, H×W×bands or H×W."
        )
    if values.ndim == 3 and values.shape[0] <= MOST_BANDS < values.shape[2]:
        shape = "×".join(map(str, values.shape))
        raise DataError(f"{path}: has shape {shape}, bands first; expected H×W×bands: save array.transpose(1, 2, 0).")
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[:, :, 0]
    bands = values.shape[2] if values.ndim == 3 else 1
    _check(path, values.shape[0], values.shape[1], bands)
    bits = _bits(values.dtype)
    return _OpenPicture(PixelFormat(bands, bits), lambda: np.array(values, PICTURE_TYPES[bits]))


def _in_picture(path: str | os.PathLike[str], image: ImageFile.ImageFile) -> _OpenPicture:
    """Describe a file that Pillow reads exactly, or a PNG of 16-bit colours."""
    reader = _reader(image)  # must come first: looking for transparency decodes the picture, which loses it
    refuse_pages(path, image)
    refuse_transparent(path, image)
    if image.mode in ("I;16", "I;16L", "I;16B", "I;16N") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        return _OpenPicture(PixelFormat(1, 16), lambda: np.asarray(image).astype(np.uint16))
    if image.mode in ("I", "F"):
        return _OpenPicture(PixelFormat(1, 32), lambda: np.asarray(image).astype(np.float32))
    low = _DEEP_COLORS.get(reader.split(" ")[0]) if image.format == "PNG" else None
    if low is not None:
        return _OpenPicture(PixelFormat(3, 16), lambda: _deep_colors(path, image, low))
    if ";16" in reader or (image.format == "PPM" and int(reader.partition(" ")[2] or 255) > 255):
        raise DataError(
            f"{path}: is a 16-bit {image.format} picture in a form that cannot be read exactly ({reader}); save it as "
            "PNG without alpha, or as TIFF."
        )
    if image.mode in ("1", "L", "LA", "La"):
        return _OpenPicture(PixelFormat(1, 8), lambda: np.array(image.convert("L")))
    return _OpenPicture(PixelFormat(3, 8), lambda: np.array(image.convert("RGB")))


def _reader(image: ImageFile.ImageFile) -> str:
    """Pillow's name for the stored form of the values; for PPM it includes the brightest value."""
    arguments = image.tile[0][3] if image.tile else ""
    return " ".join(map(str, arguments)) if isinstance(arguments, tuple) else str(arguments)


def _deep_colors(path: str | os.PathLike[str], image: ImageFile.ImageFile, low: str) -> np.ndarray:
    """Read the 16-bit colours of a PNG. Pillow decodes 8 bits at a time: first the high bytes, then the low bytes."""
    high = np.array(image.convert("RGB")).astype(np.uint16)
    with open_picture(path) as again:
        codec, box, offset, _ = again.tile[0]
        tuple_of: Any = getattr(again.tile[0], "_make", tuple)  # a named tuple in newer versions of Pillow
        again.tile = [tuple_of((codec, box, offset, low))]
        return high << np.uint16(8) | np.array(again.convert("RGB"))


@contextmanager
def _tiff(path: str | os.PathLike[str]) -> Iterator[_OpenPicture]:
    """Open a TIFF file with Pillow where that is exact, otherwise with tifffile."""
    import tifffile

    try:
        with reading(path) as stream, tifffile.TiffFile(stream) as file:
            page = _only_page(path, file)
            height, width, samples = int(page.imagelength), int(page.imagewidth), int(page.samplesperpixel)
            extra = [int(each) for each in page.extrasamples]
            bands = samples - sum(each in (1, 2) for each in extra)  # 1 and 2 declare alpha
            if bands < samples - (extra[-1:] in ([1], [2])):
                raise DataError(f"{path}: declares a band before the last one as alpha; save it without alpha bands.")
            dtype = page.dtype
            if page.imagedepth != 1 or dtype is None or dtype.kind not in "buif":
                raise DataError(f"{path}: holds values of a type that pictures cannot have ({page.axes}, {dtype}).")
            kind = "u" if dtype.kind == "b" else dtype.kind
            name, bits = page.photometric.name, int(page.bitspersample)
            exact_in_pillow = (
                (samples == 1 and (kind, bits) in _EXACT and not (name == "MINISWHITE" and bits > 8))
                or (samples == 2 and bands == 1 and (kind, bits) == ("u", 8))
                or (name in _COLORS and bands == 3 and (kind, bits) == ("u", 8))
                or name == "SEPARATED"
            )
            if not exact_in_pillow:
                _check(path, height, width, samples)
                if max(map(int, page.chunks)) > MAX_PIXELS or np.prod(page.chunks, dtype=np.float64) > 4 * MAX_PIXELS:
                    raise too_large(path, f"tiles of {'×'.join(map(str, page.chunks))}")
                pixel_format = PixelFormat(bands, _bits(dtype))
                yield _OpenPicture(pixel_format, lambda: _pixels(path, page, bands), _orientation(page))
                return
    except FcnliteError:
        raise
    except Exception as error:  # tifffile raises a dozen types for damaged files
        raise FileError(f"{path}: is a damaged TIFF file, or of an unsupported kind ({brief(error)}).") from error
    with open_picture(path) as image:
        yield _in_picture(path, image)._replace(orientation=exif_orientation(image))


def _only_page(path: str | os.PathLike[str], file: Any) -> Any:
    """The first page, which is the picture. Raises `DataError` for other pages, except its smaller copies and masks."""
    first = file.pages[0]
    for other in file.pages[1:2]:
        page = other.aspage()
        if page.shape == first.shape and not int(page.subfiletype) & 5:
            raise DataError(
                f"{path}: holds several pictures ({len(file.pages)} pages); save each in its own file, or save "
                "bands that belong together as one page (or a .npy file) of H×W×bands."
            )
    return first


def _pixels(path: str | os.PathLike[str], page: Any, bands: int) -> np.ndarray:
    try:
        values = page.asarray()
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise
        raise FileError(
            f"{path}: its compression ({page.compression.name}) needs the package imagecodecs: "
            "pip install fcnlite[tiff], or save the file uncompressed."
        ) from error
    if page.axes.startswith("S"):
        values = values.transpose(1, 2, 0)
    values = values.reshape(*values.shape[:2], -1)[:, :, :bands]
    if page.photometric.name == "MINISWHITE" and values.dtype.kind == "u":
        values = np.iinfo(values.dtype).max - values
    return np.ascontiguousarray(values[:, :, 0] if bands == 1 else values, dtype=PICTURE_TYPES[_bits(values.dtype)])


def _orientation(page: Any) -> int:
    tag = page.tags.get(ORIENTATION)
    return int(tag.value) if tag is not None and tag.value in range(1, 9) else 1


def _bits(dtype: np.dtype[Any]) -> int:
    """The bits of the type that values of `dtype` are read as: 8, 16 or 32."""
    if dtype.kind == "b" or dtype == np.uint8:
        return 8
    return 16 if dtype == np.uint16 else 32


def _check(path: str | os.PathLike[str], height: int, width: int, bands: int) -> None:
    if height * width > MAX_PIXELS:
        raise too_large(path, f"{width}×{height} pixels")
    refuse_bytes(path, height * width * bands * 12)  # float64, as some files hold it, and float32
    if height * width < 1 or not 1 <= bands <= MOST_BANDS:
        raise DataError(f"{path}: has {width}×{height} pixels of {bands} bands; expected 1 to {MOST_BANDS} bands.")
