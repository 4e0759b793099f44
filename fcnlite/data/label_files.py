"""Reads label maps and masks from picture files: class numbers or colours. Every error names the file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from fcnlite.data.picture_files import open_picture, refuse_pages
from fcnlite.errors import DataError, FcnliteError

if TYPE_CHECKING:
    from PIL import Image, ImageFile

LOSSLESS = (".png", ".tif", ".tiff")
"""The extensions of label files, in lower case."""
LOSSLESS_ONLY = "labels must be PNG or TIFF, since lossy formats blur class numbers"

_GRAY_SPREAD = 32
"""A spread between the channels of a pixel that gray pictures saved as JPEG do not reach."""
_FEW_COLORED = 1 / 1000
"""The share of pixels that may have a greater spread."""
_LOW_DEPTH_GRAY = {"L;2": 85, "L;4": 17}  # Pillow scales 2- and 4-bit gray to 0…255 by these factors


def holds_colors(path: str | os.PathLike[str]) -> bool:
    """Whether a label holds colours instead of numbers. False if it cannot be read; `read_label` reports why."""
    try:
        with open_picture(path) as image:
            return image.format in ("PNG", "TIFF") and image.mode not in ("1", "L", "P") and not _is_deep(image)
    except FcnliteError:
        return False


def palette_used(path: str | os.PathLike[str]) -> dict[int, tuple[int, ...]]:
    """The colour of each number in a palette picture; empty for other files and those that cannot be read."""
    try:
        with open_picture(path) as image:
            if image.format not in ("PNG", "TIFF") or image.mode != "P":
                return {}
            numbers = np.unique(np.asarray(image)).tolist()
            palette = image.getpalette() or []
            return {number: tuple(palette[3 * number : 3 * number + 3]) for number in numbers}
    except FcnliteError:
        return {}


def read_label(path: str | os.PathLike[str]) -> np.ndarray:
    """Read the numbers in the label file at `path` as H×W uint8: palette indices or gray values.

    Raises `FileError` if it cannot be read, `DataError` if it is neither PNG nor TIFF, or holds colours or numbers
    above 255.
    """
    values = read_numbers(path)
    if values.max() > 255:
        raise DataError(
            f"{path}: is a 16-bit file with values up to {values.max()}; expected 0 to 254, or 255 for void. If they "
            "number objects, masks=nonzero makes all objects one class; remap=FILE maps any values to classes."
        )
    return values.astype(np.uint8)


def read_numbers(path: str | os.PathLike[str]) -> np.ndarray:
    """Like `read_label`, but returns H×W integers, above 255 too in files of more than 8 bits.

    Raises `DataError` also for fractions and negative numbers, which TIFF files may hold.
    """
    with open_picture(path) as image:
        _refuse_losses(path, image)
        stretch = _LOW_DEPTH_GRAY.get(str(image.tile[0][3]), 1)
        if image.mode not in ("1", "L", "P") and not _is_deep(image):
            raise DataError(
                f"{path}: holds colours ({image.mode}), expected one class number per pixel; "
                "save the label as 8-bit gray or palette PNG, or give a table of the colours."
            )
        values: np.ndarray = np.array(image, np.uint8 if image.mode == "1" else None)
    if values.dtype.kind == "f":
        values = _whole(path, values)
    if values.min() < 0:
        raise DataError(
            f"{path}: holds {values.min()}; expected class numbers from 0 on: write 255, for void, where there is no "
            "class."
        )
    return np.asarray(values // stretch) if stretch > 1 else values


def _whole(path: str | os.PathLike[str], values: np.ndarray) -> np.ndarray:
    """The numbers of a floating-point file as integers. Raises `DataError` for others, such as NaN for no data."""
    wrong = values[~(np.abs(values) < 1 << 31) | (values != np.trunc(values))]
    if wrong.size:
        raise DataError(
            f"{path}: holds {wrong[0]:g}; expected class numbers, which are whole: write 255, for void, where there is "
            "no class."
        )
    return values.astype(np.int64)


def read_nonzero(path: str | os.PathLike[str]) -> np.ndarray:
    """Read the label file at `path` as an H×W uint8 mask: 1 where its number is not 0 or its colour is not black.

    Raises `FileError` if it cannot be read, `DataError` if it is neither PNG nor TIFF, or shows its mask only by
    transparency.
    """
    with open_picture(path) as image:
        _refuse_losses(path, image)
        shown = _without_alpha(path, image) if image.mode not in ("1", "L", "P") and not _is_deep(image) else image
        values = np.asarray(shown)
        mask = np.asarray(values.any(axis=2) if values.ndim == 3 else values != 0)
        if image.mode == "P" and (np.asarray(image.convert("RGB")).any(axis=2) != mask).any():
            raise DataError(
                f"{path}: its palette does not show exactly number 0 in black, so that masks=nonzero is ambiguous: "
                "use masks=threshold:128 for its colours, remap=FILE for its numbers."
            )
    return mask.astype(np.uint8)


def read_threshold(path: str | os.PathLike[str], threshold: int) -> np.ndarray:
    """Read the gray picture at `path`, of any format, as an H×W uint8 mask: 1 where its value is at least `threshold`.

    Raises `FileError` if it cannot be read, `DataError` if it shows colours, or its mask only by transparency.
    """
    with open_picture(path) as image:
        refuse_pages(path, image)
        if _is_deep(image):
            return (np.asarray(image) >= threshold).astype(np.uint8)
        colors = np.asarray(_without_alpha(path, image))
    spread = colors.max(axis=2).astype(np.int16) - colors.min(axis=2)
    if np.mean(spread > _GRAY_SPREAD) > _FEW_COLORED:
        raise DataError(
            f"{path}: shows colours, expected gray for masks=threshold:{threshold}; use masks=nonzero for PNGs with a "
            "black background, or colors=FILE for a table of the colours."
        )
    return (colors[:, :, 1] >= threshold).astype(np.uint8)


def _without_alpha(path: str | os.PathLike[str], image: Image.Image) -> Image.Image:
    """`image` as RGB. Raises `DataError` if only its alpha channel varies."""
    rgba = image.convert("RGBA")
    channels = np.asarray(rgba).reshape(-1, 4)
    if (channels.min(axis=0) < channels.max(axis=0)).tolist() == [False, False, False, True]:
        raise DataError(f"{path}: shows its mask only by transparency; save it as a gray PNG.")
    return rgba.convert("RGB")


def read_colors(path: str | os.PathLike[str]) -> np.ndarray:
    """Read the colours in the label file at `path` as H×W×3 uint8 RGB. Raises errors like `read_label`."""
    with open_picture(path) as image:
        _refuse_losses(path, image)
        if _is_deep(image):
            raise DataError(f"{path}: is a 16-bit gray picture; expected a label that shows colours.")
        return np.array(image.convert("RGB"))


def _is_deep(image: Image.Image) -> bool:
    return image.mode.startswith("I") or image.mode == "F"


def _refuse_losses(path: str | os.PathLike[str], image: ImageFile.ImageFile) -> None:
    """Raise `DataError` for a file that is neither a PNG nor a TIFF of one page without JPEG compression."""
    if image.format not in ("PNG", "TIFF"):
        raise DataError(f"{path}: is a {image.format} file; {LOSSLESS_ONLY}.")
    if image.format == "TIFF":
        refuse_pages(path, image)
        if "jpeg" in str(image.info.get("compression")):
            raise DataError(f"{path}: is a TIFF file with JPEG compression; {LOSSLESS_ONLY}.")
