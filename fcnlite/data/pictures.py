"""Pictures and label images from anybody's files: sizes are bounded, every failure names the file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from fcnlite.errors import DataError, FcnliteError, FileError
from fcnlite.files import cannot_read, read_bytes

if TYPE_CHECKING:
    from PIL import Image, ImageFile

MAX_PIXELS = 1 << 26
"""The largest picture that is decoded: 8192×8192, 192 MiB as RGB."""

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".ppm", ".pgm")
"""What picture files are called, in lower case."""

PNG_ONLY = "labels must be PNG, since lossy formats blur class numbers"

_GRAY_SPREAD = 32
"""Between the channels of a pixel: what a gray picture saved as JPEG does not reach."""
_FEW_COLORED = 1 / 1000
"""The share of pixels that may be coloured all the same."""

_FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "GIF", "WEBP", "PPM")
_ORIENTATION = 0x0112  # the EXIF tag; its values 5 to 8 swap width and height
_SUBFILE, _SMALLER_OR_MASK = 254, 5  # the TIFF tag NewSubfileType and two of its bits
_PNG_NOTES = (b"eXIf", b"tEXt", b"zTXt", b"iTXt")
"""Parts of a PNG that an orientation may be written in."""
_LOW_DEPTH_GRAY = {"L;2": 85, "L;4": 17}  # Pillow stretches 2- and 4-bit gray to 0…255 by these factors


Orientation = Literal["auto", "upright", "stored"]
"""Whether a camera's EXIF orientation is applied."""


def read_image(
    path: str | os.PathLike[str],
    label_size: tuple[int, int] | None = None,
    *,
    bits: int = 8,
    orientation: Orientation = "auto",
) -> np.ndarray:
    """The picture at `path`: H×W×3 uint8 RGB for 8 `bits`, H×W uint16 for 16.

    Of 8 bits, gray and palette pictures become RGB and an alpha channel is dropped; of 16 bits only gray pictures are
    known (depth, X-rays). A camera's EXIF orientation is applied, since people and annotation tools see the picture
    upright; only if `label_size` (width, height) is that of the picture as stored and not that of the upright one, it
    is taken as stored; unless `orientation` says which.
    Raises `FileError` if it cannot be read, `DataError` if it is too large, has another number of bits, holds several
    pages or is wholly transparent.
    """
    from PIL import ImageOps

    with _opened(path) as image:
        _refuse_pages(path, image)
        _refuse_transparent(path, image)
        deep = _is_deep(image)
        if deep and bits == 8:
            raise DataError(
                f"{path}: is a gray picture of more than 8 bits ({image.mode}), expected 8; "
                "convert it, so that you choose which range of brightness is kept."
            )
        if bits == 16 and not deep:
            raise DataError(f"{path}: is no gray picture of 16 bits ({image.mode}), as is expected here.")
        as_stored = orientation == "stored" or (
            orientation == "auto" and label_size == image.size and label_size != _upright_size(image)
        )
        upright = image if as_stored else ImageOps.exif_transpose(image)
        if bits == 8:
            return np.array(upright.convert("RGB"))
        values = np.asarray(upright)
        if values.dtype.kind not in "iu" or values.min() < 0 or values.max() > 65535:
            raise DataError(f"{path}: holds {values.min()} to {values.max()} ({image.mode}); expected 0 to 65535.")
        return values.astype(np.uint16)


def bits_of(path: str | os.PathLike[str]) -> int:
    """8, or 16 for a gray picture of more than 8 bits; `read_image` reads it so. Raises as that does."""
    with _opened(path) as image:
        return 16 if _is_deep(image) else 8


def holds_colors(path: str | os.PathLike[str]) -> bool:
    """Whether a label shows colours rather than numbers. False where it cannot be read: `read_label` tells why."""
    try:
        with _opened(path) as image:
            return image.format == "PNG" and image.mode not in ("1", "L", "P") and not _is_deep(image)
    except FcnliteError:
        return False


def palette_used(path: str | os.PathLike[str]) -> dict[int, tuple[int, ...]]:
    """The colour of each number in a palette PNG; none where it is no such file or cannot be read."""
    try:
        with _opened(path) as image:
            if image.format != "PNG" or image.mode != "P":
                return {}
            numbers = np.unique(np.asarray(image)).tolist()
            palette = image.getpalette() or []
            return {number: tuple(palette[3 * number : 3 * number + 3]) for number in numbers}
    except FcnliteError:
        return {}


def read_label(path: str | os.PathLike[str]) -> np.ndarray:
    """The numbers in the label PNG at `path` as H×W uint8: indices of a palette image, values of a gray one.

    Raises `FileError` if it cannot be read, `DataError` if it is no PNG, holds colours or numbers above 255.
    """
    values = read_numbers(path)
    if values.max() > 255:
        raise DataError(
            f"{path}: is a 16-bit PNG with values up to {values.max()}; expected 0 to 254, or 255 for void. If these "
            "are the numbers of objects, masks=nonzero makes them one class; remap=FILE gives any values a class."
        )
    return values.astype(np.uint8)


def read_numbers(path: str | os.PathLike[str]) -> np.ndarray:
    """As `read_label`, with numbers above 255 in files of 16 bits: H×W integers."""
    with _opened(path) as image:
        _refuse_losses(path, image)
        stretch = _LOW_DEPTH_GRAY.get(str(image.tile[0][3]), 1)
        if image.mode not in ("1", "L", "P") and not _is_deep(image):
            raise DataError(
                f"{path}: holds colours ({image.mode}), expected one class number a pixel; "
                "save the label as 8-bit gray or palette PNG, or give a table of the colours."
            )
        values: np.ndarray = np.array(image, np.uint8 if image.mode == "1" else None)
    return np.asarray(values // stretch) if stretch > 1 else values


def read_nonzero(path: str | os.PathLike[str]) -> np.ndarray:
    """The label PNG at `path` as an H×W uint8 mask: 1 where its number is not 0, or its colour not black.

    Raises `FileError` if it cannot be read, `DataError` if it is no PNG or shows its mask by transparency alone.
    """
    with _opened(path) as image:
        _refuse_losses(path, image)
        shown = _without_alpha(path, image) if image.mode not in ("1", "L", "P") and not _is_deep(image) else image
        values = np.asarray(shown)
    return np.asarray(values.any(axis=2) if values.ndim == 3 else values != 0).astype(np.uint8)


def read_threshold(path: str | os.PathLike[str], threshold: int) -> np.ndarray:
    """The gray picture at `path`, of any format, as an H×W uint8 mask: 1 where it is `threshold` or brighter.

    Raises `FileError` if it cannot be read, `DataError` if it shows colours, or its mask by transparency alone.
    """
    with _opened(path) as image:
        _refuse_pages(path, image)
        if _is_deep(image):
            return (np.asarray(image) >= threshold).astype(np.uint8)
        colors = np.asarray(_without_alpha(path, image))
    spread = colors.max(axis=2).astype(np.int16) - colors.min(axis=2)
    if np.mean(spread > _GRAY_SPREAD) > _FEW_COLORED:
        raise DataError(
            f"{path}: shows colours, expected gray for masks=threshold:{threshold}; masks=nonzero takes PNGs whose "
            "background is black, colors=FILE says what each colour means."
        )
    return (colors[:, :, 1] >= threshold).astype(np.uint8)


def _without_alpha(path: str | os.PathLike[str], image: Image.Image) -> Image.Image:
    """`image` as RGB. Raises `DataError` where only its alpha channel shows anything."""
    rgba = image.convert("RGBA")
    channels = np.asarray(rgba).reshape(-1, 4)
    if (channels.min(axis=0) < channels.max(axis=0)).tolist() == [False, False, False, True]:
        raise DataError(f"{path}: shows its mask by transparency alone; save it as a gray PNG.")
    return rgba.convert("RGB")


def read_colors(path: str | os.PathLike[str]) -> np.ndarray:
    """The colours in the label PNG at `path` as H×W×3 uint8 RGB. Raises as `read_label` does."""
    with _opened(path) as image:
        _refuse_losses(path, image)
        if _is_deep(image):
            raise DataError(f"{path}: is a 16-bit gray PNG; expected a label of colours.")
        return np.array(image.convert("RGB"))


def read_gray_page(path: str | os.PathLike[str], page: int) -> np.ndarray:
    """Page `page` of a gray picture file (a TIFF may hold several) as H×W uint8.

    Raises `FileError` if it cannot be read, `DataError` if it is too large or not gray of 8 bits.
    """
    with _opened(path) as image:
        image.seek(page)
        if image.mode not in ("1", "L"):
            raise DataError(f"{path}: is no gray picture of 8 bits ({image.mode}), as is expected here.")
        _refuse_size(path, image)
        return np.array(image.convert("L"))


def count_pages(path: str | os.PathLike[str]) -> int:
    """How many pictures the file holds. Raises `FileError` and `DataError` as `read_gray_page` does."""
    with _opened(path) as image:
        return int(getattr(image, "n_frames", 1))


def show(image: np.ndarray) -> np.ndarray:
    """A picture for people, H×W×3 uint8: what has more than 8 bits is stretched between its extremes, 0 apart."""
    if image.dtype == np.uint8:
        return image
    known = image[image > 0]
    low, high = (int(known.min()), int(known.max())) if known.size else (0, 1)
    gray = np.clip((image.astype(np.float32) - low) * (255 / max(1, high - low)), 0, 255).astype(np.uint8)
    return np.repeat(gray[:, :, None], 3, axis=2)


def _is_deep(image: Image.Image) -> bool:
    return image.mode.startswith("I") or image.mode == "F"


def _refuse_losses(path: str | os.PathLike[str], image: ImageFile.ImageFile) -> None:
    if image.format != "PNG":
        raise DataError(f"{path}: is a {image.format} file; {PNG_ONLY}.")


def _refuse_pages(path: str | os.PathLike[str], image: ImageFile.ImageFile) -> None:
    """Refuse files of several pictures, of which only the first would count.

    Smaller copies and masks of the first, as maps have them, are no pictures of their own.
    """
    if image.format == "TIFF":
        size = image.size
        try:
            image.seek(1)
        except EOFError:
            return
        tags = getattr(image, "tag_v2", {})
        several = image.size == size and not tags.get(_SUBFILE, 0) & _SMALLER_OR_MASK
        image.seek(0)
    else:
        several = getattr(image, "n_frames", 1) > 1 and image.format != "MPO"
    if several:
        raise DataError(
            f"{path}: holds several pictures (pages, or frames of an animation), of which only the first would count; "
            "save each in a file of its own."
        )


def _refuse_transparent(path: str | os.PathLike[str], image: Image.Image) -> None:
    if not (image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info) or _is_deep(image):
        return
    if image.convert("RGBA").getchannel("A").getextrema()[1] == 0:
        raise DataError(
            f"{path}: is wholly transparent (its alpha is 0 everywhere), so that nothing is to be seen; save it "
            "without an alpha channel, or leave it out."
        )


def orientation_of(path: str | os.PathLike[str]) -> tuple[int, tuple[int, int]]:
    """The EXIF orientation of a picture, 1 (as stored) to 8, and its size as stored: width, height.

    Raises `FileError` if it cannot be read, `DataError` if it is too large.
    """
    with _opened(path) as image:
        size = image.size
        if image.format == "PNG" and not any(kind in read_bytes(path) for kind in _PNG_NOTES):
            return 1, size  # asked for it, Pillow would decode the whole picture
        found = image.getexif().get(_ORIENTATION, 1)
        return (found if found in range(1, 9) else 1), size


def size_of(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Width and height as stored. Raises as `orientation_of` does."""
    with _opened(path) as image:
        return image.size


def _upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height once the EXIF orientation is applied."""
    swapped = image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
    return (image.height, image.width) if swapped else image.size


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[ImageFile.ImageFile]:
    """The picture at `path`, not yet decoded, its size checked; errors in the block become `FileError`s."""
    from PIL import Image

    try:
        stream = Path(path).open("rb")  # noqa: SIM115 - opened apart, so that only opening is guarded here
    except OSError as error:
        raise cannot_read(path, error) from error
    with stream:
        try:
            with Image.open(stream, formats=_FORMATS) as image:
                _refuse_size(path, image)
                yield image
        except FcnliteError:
            raise
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise _too_large(path, str(error)) from error
        except Image.UnidentifiedImageError as error:
            raise FileError(f"{path}: is not a picture in a known format ({', '.join(_FORMATS)}).") from error
        except Exception as error:  # Pillow raises a dozen types for damaged files, MemoryError among them
            raise FileError(f"{path}: is damaged ({error}); make the file again or leave it out.") from error


def _refuse_size(path: str | os.PathLike[str], image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise _too_large(path, f"{image.width}×{image.height} pixels")


def _too_large(path: str | os.PathLike[str], found: str) -> DataError:
    return DataError(f"{path}: is too large ({found}; at most {MAX_PIXELS} are read); make it smaller.")
