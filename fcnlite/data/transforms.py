"""Converts pictures to blobs and back.

Only this file changes the order of colours and subtracts the mean; everywhere else pictures are RGB bytes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fcnlite.description.model_info import PICTURE_TYPES, Preprocessing
from fcnlite.errors import DataError

_ORDER = {"BGR": (2, 1, 0), "RGB": (0, 1, 2)}
_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as in Pillow and OpenCV


def to_blob(image: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """Convert a picture to a C-contiguous float32 C×H×W blob: (value − mean) · scale / std in each channel.

    For 8 bits `image` is H×W×3 uint8 RGB. For 16 bits it is H×W uint16: distances, or gray values, which are copied to
    three channels if the net has three. For BANDS it is H×W×bands (H×W for one band) of the type for `bits`. Raises
    `DataError` for other arrays.
    """
    check_picture(image, preprocessing)
    blob = np.empty((len(preprocessing.mean), *image.shape[:2]), np.float32)
    channels = _channels(image, preprocessing)
    for plane, channel, mean in zip(blob, channels, _means(image, preprocessing), strict=True):
        np.subtract(channel, mean, out=plane)
    if preprocessing.color == "DEPTH":
        blob[0][image == 0] = 0
    if preprocessing.scale != 1:
        blob *= np.float32(preprocessing.scale)
    for plane, deviation in zip(blob, preprocessing.std, strict=False):
        plane /= np.float32(deviation)
    return blob


def check_picture(image: np.ndarray, preprocessing: Preprocessing) -> None:
    """Raise `DataError` unless `image` has the type and shape that `to_blob` takes."""
    found = f"the picture has shape {'×'.join(map(str, image.shape))} and type {image.dtype}"
    wanted = np.dtype(PICTURE_TYPES[preprocessing.bits])
    if preprocessing.color == "BANDS":
        bands = image.shape[2] if image.ndim == 3 else 1
        if image.ndim not in (2, 3) or bands != preprocessing.picture_bands or image.dtype != wanted:
            raise DataError(
                f"{found}; the net was trained on pictures of {preprocessing.picture_bands} bands, type {wanted}: "
                "give such a picture, H×W×bands."
            )
        return
    gray, color = preprocessing.bits == 16 and image.ndim == 2, preprocessing.bits == 8 and image.shape[2:] == (3,)
    if image.dtype != wanted or not (gray or color):
        expected = "H×W×3 RGB of type uint8" if preprocessing.bits == 8 else "H×W of type uint16"
        raise DataError(f"{found}; expected {expected}.")


def _means(image: np.ndarray, preprocessing: Preprocessing) -> Sequence[np.ndarray | np.float32]:
    """The mean of each channel: a plane of the mean picture if it fits, else one number."""
    if preprocessing.mean_picture is not None:
        part = preprocessing.mean_picture.cut(image.shape[0], image.shape[1], preprocessing.crop_size)
        if part is not None:
            return list(part)
    return [np.float32(mean) for mean in preprocessing.mean]


def _channels(image: np.ndarray, preprocessing: Preprocessing) -> list[np.ndarray]:
    """The channels of a picture, H×W each, in the order of the net."""
    if preprocessing.color == "DEPTH":
        return [np.log(np.maximum(image, 1).astype(np.float32))]
    if preprocessing.color == "BANDS":
        bands = image[:, :, None] if image.ndim == 2 else image
        return [bands[:, :, band - 1].astype(np.float32, copy=False) for band in preprocessing.bands]
    if image.ndim == 2:
        return [image] * len(preprocessing.mean)
    if preprocessing.color == "GRAY":
        return [image @ _LUMINANCE]
    return [image[:, :, source] for source in _ORDER[preprocessing.color]]


def from_blob(blob: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """Convert the C×H×W `blob` to a picture, rounded and clipped: the inverse of `to_blob`.

    Bands that the net does not take are 0. For a mean picture, the mean of each channel is used.
    """
    mean, std = (
        np.array(each, np.float32)[:, None, None] for each in (preprocessing.mean, preprocessing.std or (1.0,))
    )
    values = blob * std / np.float32(preprocessing.scale) + mean
    dtype = np.dtype(PICTURE_TYPES[preprocessing.bits])
    if preprocessing.color == "DEPTH":
        values = np.exp(values)
    if preprocessing.color == "BANDS":
        bands = np.zeros((preprocessing.picture_bands, *blob.shape[1:]), np.float32)
        bands[[band - 1 for band in preprocessing.bands]] = values
        picture = bands.transpose(1, 2, 0) if len(bands) > 1 else bands[0]
    elif preprocessing.bits == 16:
        picture = values[0]
    else:
        order = (0, 0, 0) if len(values) == 1 else np.argsort(_ORDER[preprocessing.color])
        picture = values[list(order)].transpose(1, 2, 0)
    if dtype.kind == "u":
        picture = np.clip(np.rint(picture), 0, np.iinfo(dtype).max)
    return np.ascontiguousarray(picture.astype(dtype))


def label_to_blob(label: np.ndarray) -> np.ndarray:
    """Convert the H×W uint8 `label` to a C-contiguous 1×H×W uint8 blob."""
    return np.ascontiguousarray(label)[None]


def mean_pixel(preprocessing: Preprocessing) -> np.ndarray:
    """The pixel value that `to_blob` maps nearest to 0: RGB bytes of shape (3,), bands, or one number of shape ()."""
    return from_blob(np.zeros((len(preprocessing.mean), 1, 1), np.float32), preprocessing)[0, 0]
