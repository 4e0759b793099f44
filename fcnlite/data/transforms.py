"""From pictures to blobs and back, and augmentation.

The only place where the order of colours and the mean are applied: everywhere else pictures are RGB bytes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fcnlite.data.dataset import VOID, Sample
from fcnlite.errors import DataError
from fcnlite.spec import Preprocessing

_ORDER = {"BGR": (2, 1, 0), "RGB": (0, 1, 2)}
_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as Pillow and OpenCV have it


def to_blob(image: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """A picture as a C-contiguous float32 C×H×W blob: (value − mean) · scale a channel.

    `image` is H×W×3 uint8 RGB where the preprocessing takes 8 bits, H×W uint16 where it takes 16: gray, of which three
    channels are made where the net has them, or distances. Raises `DataError` for anything else.
    """
    wanted = (3, np.uint8) if preprocessing.bits == 8 else (2, np.uint16)
    if (image.ndim, image.dtype) != wanted or image.shape[2:] not in ((), (3,)):
        expected = "H×W×3 RGB of type uint8" if preprocessing.bits == 8 else "H×W of type uint16"
        raise DataError(f"an image has shape {image.shape} and type {image.dtype}; expected {expected}.")
    blob = np.empty((len(preprocessing.mean), *image.shape[:2]), np.float32)
    for plane, channel, mean in zip(blob, _channels(image, preprocessing), preprocessing.mean, strict=True):
        np.subtract(channel, np.float32(mean), out=plane)
    if preprocessing.color == "DEPTH":
        blob[0][image == 0] = 0
    if preprocessing.scale != 1:
        blob *= np.float32(preprocessing.scale)
    return blob


def _channels(image: np.ndarray, preprocessing: Preprocessing) -> list[np.ndarray]:
    """H×W each, in the net's order."""
    if preprocessing.color == "DEPTH":
        return [np.log(np.maximum(image, 1).astype(np.float32))]
    if image.ndim == 2:
        return [image] * len(preprocessing.mean)
    if preprocessing.color == "GRAY":
        return [image @ _LUMINANCE]
    return [image[:, :, source] for source in _ORDER[preprocessing.color]]


def from_blob(blob: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """The C×H×W `blob` as a picture, rounded and clipped: the inverse of `to_blob`."""
    mean = np.array(preprocessing.mean, np.float32)[:, None, None]
    values = blob / np.float32(preprocessing.scale) + mean
    if preprocessing.color == "DEPTH":
        values = np.exp(values)
    if preprocessing.bits == 16:
        return np.clip(np.rint(values[0]), 0, 65535).astype(np.uint16)
    planes = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    order = (0, 0, 0) if len(planes) == 1 else np.argsort(_ORDER[preprocessing.color])
    return np.ascontiguousarray(planes[list(order)].transpose(1, 2, 0))


def label_to_blob(label: np.ndarray) -> np.ndarray:
    """The H×W uint8 `label` as a C-contiguous 1×H×W uint8 blob."""
    return np.ascontiguousarray(label)[None]


def mean_pixel(preprocessing: Preprocessing) -> np.ndarray:
    """The value that `to_blob` maps nearest to 0: RGB bytes of shape (3,), or one uint16 of shape ()."""
    return from_blob(np.zeros((len(preprocessing.mean), 1, 1), np.float32), preprocessing)[0, 0]


@dataclass(frozen=True)
class Augment:
    """How training pictures are varied: mirrored, turned, resized, cut, made lighter or darker."""

    flip: bool = False
    """Mirror every second picture left to right, on average."""
    turn: bool = False
    """Turn by 0, 90, 180 or 270 degrees, drawn evenly: for pictures that have no up, as a microscope's have none."""
    scale: tuple[float, float] = (1.0, 1.0)
    """Resize by a factor drawn evenly from this range."""
    crop: tuple[int, int] | None = None
    """Cut this (height, width) at a place drawn evenly; smaller pictures are padded to it."""
    brightness: float = 0.0
    """Multiply the picture by a factor drawn evenly from 1 ± this."""

    def __post_init__(self) -> None:
        low, high = self.scale
        if not (0 < low <= high and math.isfinite(high)):
            raise DataError(f"augmentation scale {low}…{high}: expected two factors, 0 < low ≤ high.")
        if self.crop is not None and min(self.crop) < 1:
            raise DataError(f"augmentation crop {self.crop}: expected a height and a width of at least 1.")
        if not 0 <= self.brightness <= 1:
            raise DataError(f"augmentation brightness {self.brightness}: expected 0 to 1.")


def augment(sample: Sample, settings: Augment, rng: np.random.Generator, preprocessing: Preprocessing) -> Sample:
    """`sample` resized, cut or padded, mirrored, turned and lit as `settings` say and `rng` draws.

    Its pictures and label maps all go through the same geometry, pictures bilinear, labels by nearest neighbour: a
    label never holds a number that it did not hold before, except `VOID`, which pads it as the mean of `preprocessing`
    pads the pictures. Only pictures of light are lit, not distances.
    """
    factor = rng.uniform(*settings.scale)
    size = [max(1, round(side * factor)) for side in sample.label.shape]
    out = settings.crop or (size[0], size[1])
    turns = int(rng.integers(4)) if settings.turn else 0
    if turns % 2 and settings.crop:
        out = out[1], out[0]
    rows, columns = (_Window.draw(rng, *sides) for sides in zip(size, out, strict=True))
    flip = settings.flip and rng.random() < 0.5
    light = rng.uniform(1 - settings.brightness, 1 + settings.brightness)

    # The part of the original that fills the window, in its own pixels: resizing that part alone is the same
    # as resizing everything and cutting after, but costs no more than the crop.
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
            part = np.clip(np.rint(part * np.float32(factor)), 0, np.iinfo(array.dtype).max)
        whole = np.full((*out, *array.shape[2:]), fill, array.dtype)
        whole[rows.target : rows.target + rows.length, columns.target : columns.target + columns.length] = part
        return np.ascontiguousarray(np.rot90(whole[:, ::-1] if flip else whole, turns))

    images = {}
    for name, image in sample.images.items():
        kind = preprocessing.of(name)
        images[name] = placed(image, mean_pixel(kind), True, 1 if kind.color == "DEPTH" else light)
    labels = {name: placed(label, VOID, False) for name, label in sample.labels.items()}
    return Sample(images, labels, sample.name)


def _resized(
    array: np.ndarray, size: tuple[int, int], box: tuple[float, float, float, float], smooth: bool
) -> np.ndarray:
    """The part of a picture or label map in `box` (left, top, right, bottom), as `size` (width, height)."""
    from PIL import Image

    method = Image.Resampling.BILINEAR if smooth else Image.Resampling.NEAREST
    if array.dtype == np.uint16:  # Pillow resizes these as float32, which holds them exactly
        resized = Image.fromarray(array.astype(np.float32)).resize(size, method, box)
        return np.rint(np.asarray(resized)).astype(np.uint16)
    return np.asarray(Image.fromarray(array).resize(size, method, box))


@dataclass(frozen=True)
class _Window:
    """Along one axis: `length` pixels from `source` of the resized picture go to `target` of the result."""

    source: int
    target: int
    length: int

    @staticmethod
    def draw(rng: np.random.Generator, have: int, want: int) -> _Window:
        """Where `have` pixels are cut or padded to `want`, drawn evenly from all places."""
        offset = int(rng.integers(abs(have - want) + 1))
        return _Window(offset, 0, want) if have > want else _Window(0, offset, have)
