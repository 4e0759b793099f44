"""The pictures that a `Segmenter` is given, as the arrays that its net takes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from fcnlite.arrays import Array
from fcnlite.data.pictures import read_image
from fcnlite.data.transforms import check_picture
from fcnlite.description.model_info import PICTURE_TYPES, Preprocessing
from fcnlite.description.shapes import show
from fcnlite.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

Picture: TypeAlias = "Image.Image | Array | str | os.PathLike[str]"


def pixels_of(image: Picture, preprocessing: Preprocessing) -> Array:
    """Convert `image` to an array that `to_blob` takes."""
    if isinstance(image, (str, os.PathLike)):
        return read_image(image, preprocessing=preprocessing)
    if not isinstance(image, np.ndarray):
        image = _pil_pixels(image, preprocessing)
    if preprocessing.color == "BANDS" and image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]
    if preprocessing.bits == 8 and preprocessing.color != "BANDS" and image.dtype == np.uint8 and image.ndim == 2:
        image = np.repeat(image[:, :, None], 3, axis=2)
    if image.size == 0:
        raise DataError(f"the picture has shape {show(image.shape)}, which has no pixels.")
    try:
        check_picture(image, preprocessing)
    except DataError as error:
        raise DataError(f"{error}{_remedy(image, preprocessing)}") from error
    return image


def _remedy(image: Array, preprocessing: Preprocessing) -> str:
    """The end of an error message: how to convert the array to one that the net takes; empty if unknown."""
    steps = ""
    if image.ndim == 3 and image.shape[0] in (1, 3, 4) and image.shape[2] > 4:
        steps += ".transpose(1, 2, 0)"
        image = image.transpose(1, 2, 0)
    if image.ndim == 3 and image.shape[2] == 4 and preprocessing.color != "BANDS":
        steps += "[:, :, :3]"
    wanted = PICTURE_TYPES[preprocessing.bits]
    unit = image.dtype.kind == "f" and preprocessing.bits == 8 and 0 <= image.min() <= image.max() <= 1
    if unit:
        return f" Values are from 0 to 1: give (255 * image{steps}).round().astype(np.uint8), in the order RGB."
    if image.dtype.kind in "if" and preprocessing.bits == 8 and 0 <= image.min() <= image.max() <= 255:
        steps += f".astype(np.{wanted})"
    return f" Give image{steps}, in the order RGB (OpenCV reads BGR)." if steps else ""


def _pil_pixels(image: Any, preprocessing: Preprocessing) -> Array:
    """Convert a PIL image to an array that `to_blob` takes."""
    from PIL import Image

    if not isinstance(image, Image.Image):
        raise DataError(f"the picture is a {type(image).__name__}; expected a path, a PIL image or a uint8 array.")
    deep = image.mode.startswith("I") or image.mode == "F"
    if deep and preprocessing.bits == 8:
        raise DataError(
            f"the picture has more than 8 bits a pixel (PIL mode {image.mode}); "
            "convert it to 8 bits and choose which range of brightness is kept."
        )
    try:
        if deep:
            return np.asarray(image).astype(PICTURE_TYPES[preprocessing.bits])
        if preprocessing.color == "BANDS" and len(image.getbands()) == preprocessing.picture_bands:
            return np.array(image)
        return np.array(image.convert("RGB"))
    except Exception as error:  # PIL decodes here, and raises many types of errors for damaged files
        raise DataError(f"the picture cannot be decoded ({error}).") from error
