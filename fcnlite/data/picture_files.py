"""Opens untrusted picture files with Pillow: sizes are bounded, and every error names the file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fcnlite import config
from fcnlite.errors import DataError, FcnliteError, FileError, brief
from fcnlite.files import cannot_read, open_regular

if TYPE_CHECKING:
    from PIL import Image, ImageFile

MAX_PIXELS = 1 << 27
"""The largest picture that is decoded: 134 million pixels, 384 MiB as RGB."""

_BYTES = 16
"""The memory that Pillow's and our copies of a pixel take together."""
_SUBFILE, _SMALLER_OR_MASK = 254, 5  # the TIFF tag NewSubfileType and two of its bits
_FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "GIF", "WEBP", "PPM")


@contextmanager
def open_picture(path: str | os.PathLike[str]) -> Iterator[ImageFile.ImageFile]:
    """Open the picture at `path` and check its size, without decoding it; errors in the block become `FileError`s."""
    from PIL import Image

    try:
        stream = open_regular(path)  # this `try` guards only the opening
    except OSError as error:
        raise cannot_read(path, error) from error
    with stream:
        try:
            # Pillow's own limit, which warns of pictures beyond two thirds of ours.
            Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS or MAX_PIXELS, MAX_PIXELS)
            with Image.open(stream, formats=_FORMATS) as image:
                refuse_size(path, image)
                yield image
        except FcnliteError:
            raise
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise too_large(path, str(error)) from error
        except Image.UnidentifiedImageError as error:
            raise FileError(f"{path}: is not a picture in a known format ({', '.join(_FORMATS)}).") from error
        except Exception as error:  # Pillow raises a dozen types for damaged files, MemoryError among them
            raise FileError(f"{path}: is damaged ({brief(error)}); create the file again or leave it out.") from error


def refuse_size(path: str | os.PathLike[str], image: Image.Image) -> None:
    """Raise `DataError` for a picture of more pixels than `MAX_PIXELS`, or whose pixels exceed `config.max_memory`."""
    if image.width * image.height > MAX_PIXELS:
        raise too_large(path, f"{image.width}×{image.height} pixels")
    refuse_bytes(path, image.width * image.height * _BYTES)


def refuse_bytes(path: str | os.PathLike[str], size: int) -> None:
    """Raise `DataError` for a picture that takes more memory, in bytes, than `config.max_memory`."""
    if excess := config.excess(size):
        raise DataError(f"{path}: its pixels {excess}; make the picture smaller.")


def too_large(path: str | os.PathLike[str], found: str) -> DataError:
    """The error for a picture that is too large; `found` describes its size."""
    return DataError(f"{path}: is too large ({found}; at most {MAX_PIXELS} are read); make it smaller.")


def refuse_pages(path: str | os.PathLike[str], image: ImageFile.ImageFile) -> None:
    """Raise `DataError` for a file of several pictures, since only the first would be read.

    Smaller copies and masks of the first picture, as in map files, do not count as pictures.
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
            f"{path}: holds several pictures (pages, or frames of an animation), and only the first would be "
            "read; save each picture in its own file."
        )


def refuse_transparent(path: str | os.PathLike[str], image: Image.Image) -> None:
    """Raise `DataError` for a picture whose alpha is 0 everywhere, so that nothing of it is visible."""
    keyed = "transparency" in image.info and image.mode in ("1", "L", "P", "RGB")
    if image.mode not in ("RGBA", "LA", "PA") and not keyed:
        return
    if image.convert("RGBA").getchannel("A").getextrema()[1] == 0:
        raise DataError(
            f"{path}: is fully transparent (its alpha is 0 everywhere), so that nothing is visible; save it "
            "without an alpha channel, or leave it out."
        )
