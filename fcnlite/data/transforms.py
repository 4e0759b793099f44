"""Converts pictures to blobs and back, and augments samples.

Only this file changes the order of colours and subtracts the mean; everywhere else pictures are RGB bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fcnlite.data.sample import VOID, Sample
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


@dataclass(frozen=True)
class Augment:
    """Settings for random changes of training pictures: mirror, turn, resize, crop, change brightness."""

    flip: bool = False
    """Mirror left to right with probability 1/2."""
    turn: bool = False
    """Turn by 0, 90, 180 or 270 degrees with equal probability, for pictures without an up, such as micrographs."""
    scale: tuple[float, float] = (1.0, 1.0)
    """Resize by a factor drawn uniformly from this range."""
    crop: tuple[int, int] | None = None
    """Crop to this (height, width) at a uniformly drawn place; smaller pictures are padded to it."""
    brightness: float = 0.0
    """Multiply the picture by a factor drawn uniformly from 1 ± this."""
    shift: int = 0
    """Move by up to this many pixels down or up, and right or left, drawn uniformly; the rest is filled."""

    def __post_init__(self) -> None:
        low, high = self.scale
        if not (0 < low <= high and math.isfinite(high)):
            raise DataError(f"augmentation scale {low}…{high}: expected two factors, 0 < low ≤ high.")
        if self.crop is not None and min(self.crop) < 1:
            raise DataError(f"augmentation crop {self.crop}: expected a height and a width of at least 1.")
        if not 0 <= self.brightness <= 1:
            raise DataError(f"augmentation brightness {self.brightness}: expected 0 to 1.")
        if self.shift < 0:
            raise DataError(f"augmentation shift {self.shift}: expected 0 or more pixels.")


def augment(sample: Sample, settings: Augment, rng: np.random.Generator, preprocessing: Preprocessing) -> Sample:
    """Resize, crop or pad, shift, mirror, turn and brighten or darken `sample`, with random numbers from `rng`.

    All pictures and label maps undergo the same geometry: pictures with bilinear interpolation, labels by nearest
    neighbour, so that labels get no new values except `VOID`. Pictures are padded with the mean of `preprocessing`,
    labels with `VOID`. Distances are also resized by nearest neighbour, since an average of a known and an unknown
    distance (0) has no meaning; brightness does not change them.
    """
    factor = rng.uniform(*settings.scale)
    size = [max(1, round(side * factor)) for side in sample.label.shape]
    out = settings.crop or (size[0], size[1])
    turns = int(rng.integers(4)) if settings.turn else 0
    if turns % 2 and settings.crop:
        out = out[1], out[0]
    rows, columns = (_Span.draw(rng, *sides) for sides in zip(size, out, strict=True))
    flip = settings.flip and rng.random() < 0.5
    light = rng.uniform(1 - settings.brightness, 1 + settings.brightness)
    if settings.shift:
        reach = settings.shift
        rows, columns = (
            span.moved(int(rng.integers(-reach, reach + 1)), side)
            for span, side in zip((rows, columns), out, strict=True)
        )

    # The part of the original that fills the crop, in original pixels. Resizing only this part gives the same result as
    # resizing the whole picture and cropping it, and costs no more than the crop.
    height, width = sample.label.shape
    box = (
        columns.source * width / size[1],
        rows.source * height / size[0],
        (columns.source + columns.length) * width / size[1],
        (rows.source + rows.length) * height / size[0],
    )

    def placed(array: np.ndarray, fill: np.ndarray | int, smooth: bool, factor: float = 1) -> np.ndarray:
        part = _resized(array, (columns.length, rows.length), box, smooth)
        if factor != 1:
            part = part * np.float32(factor)
            if array.dtype.kind == "u":
                part = np.clip(np.rint(part), 0, np.iinfo(array.dtype).max)
        whole = np.full((*out, *array.shape[2:]), fill, array.dtype)
        whole[rows.target : rows.target + rows.length, columns.target : columns.target + columns.length] = part
        return np.ascontiguousarray(np.rot90(whole[:, ::-1] if flip else whole, turns))

    images = {}
    for name, image in sample.images.items():
        of_picture = preprocessing.of(name)
        distances = of_picture.color == "DEPTH"
        images[name] = placed(image, mean_pixel(of_picture), not distances, 1 if distances else light)
    labels = {name: placed(label, VOID, False) for name, label in sample.labels.items()}
    return Sample(images, labels, sample.name)


def _resized(
    array: np.ndarray, size: tuple[int, int], box: tuple[float, float, float, float], smooth: bool
) -> np.ndarray:
    """Resize the part of a picture or label map in `box` (left, top, right, bottom) to `size` (width, height)."""
    from PIL import Image

    method = Image.Resampling.BILINEAR if smooth else Image.Resampling.NEAREST
    if array.dtype == np.uint8 and array.shape[2:] in ((), (3,)):
        return np.asarray(Image.fromarray(array).resize(size, method, box))
    # Other pictures are resized band by band as float32, which holds 16 bits exactly.
    planes = [array] if array.ndim == 2 else [array[:, :, band] for band in range(array.shape[2])]
    resized = [Image.fromarray(plane.astype(np.float32)).resize(size, method, box) for plane in planes]
    values = np.asarray(resized[0]) if array.ndim == 2 else np.stack([np.asarray(each) for each in resized], axis=2)
    return values.astype(array.dtype) if array.dtype.kind == "f" else np.rint(values).astype(array.dtype)


@dataclass(frozen=True)
class _Span:
    """Along one axis: `length` pixels from `source` in the resized picture go to `target` in the result."""

    source: int
    target: int
    length: int

    @staticmethod
    def draw(rng: np.random.Generator, have: int, want: int) -> _Span:
        """Draw, uniformly from all places, where `have` pixels are cropped or padded to `want`."""
        offset = int(rng.integers(abs(have - want) + 1))
        return _Span(offset, 0, want) if have > want else _Span(0, offset, have)

    def moved(self, distance: int, side: int) -> _Span:
        """This span, moved by `distance` pixels in a result of `side` pixels; at least one pixel stays inside."""
        target = min(max(self.target + distance, 1 - self.length), side - 1)
        hidden = max(0, -target)
        length = min(self.length - hidden, side - max(0, target))
        return _Span(self.source + hidden, max(0, target), length)
