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
    """The H×W×3 uint8 RGB `image` as a C-contiguous float32 C×H×W blob: (byte − mean) · scale a channel."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise DataError(
            f"an image has shape {image.shape} and type {image.dtype}; expected H×W×3 RGB of type uint8."
        )
    if preprocessing.color == "GRAY":
        channels = [image @ _LUMINANCE]
    else:
        channels = [image[:, :, source] for source in _ORDER[preprocessing.color]]
    blob = np.empty((len(channels), *image.shape[:2]), np.float32)
    for plane, channel, mean in zip(blob, channels, preprocessing.mean, strict=True):
        np.subtract(channel, np.float32(mean), out=plane)
    if preprocessing.scale != 1:
        blob *= np.float32(preprocessing.scale)
    return blob


def from_blob(blob: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """The C×H×W `blob` as an H×W×3 uint8 RGB picture, rounded and clipped: the inverse of `to_blob`."""
    mean = np.array(preprocessing.mean, np.float32)[:, None, None]
    planes = np.clip(np.rint(blob / np.float32(preprocessing.scale) + mean), 0, 255).astype(np.uint8)
    order = (0, 0, 0) if preprocessing.color == "GRAY" else np.argsort(_ORDER[preprocessing.color])
    return np.ascontiguousarray(planes[list(order)].transpose(1, 2, 0))


def label_to_blob(label: np.ndarray) -> np.ndarray:
    """The H×W uint8 `label` as a C-contiguous 1×H×W uint8 blob."""
    return np.ascontiguousarray(label)[None]


def mean_color(preprocessing: Preprocessing) -> tuple[int, int, int]:
    """The RGB bytes that `to_blob` maps nearest to 0."""
    nothing = np.zeros((len(preprocessing.mean), 1, 1), np.float32)
    red, green, blue = from_blob(nothing, preprocessing)[0, 0].tolist()
    return red, green, blue


@dataclass(frozen=True)
class Augment:
    """How training pictures are varied: mirrored, resized, cut, made lighter or darker."""

    flip: bool = False
    """Mirror every second picture left to right, on average."""
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


def augment(
    sample: Sample, settings: Augment, rng: np.random.Generator, fill: tuple[int, int, int]
) -> Sample:
    """`sample` resized, cut or padded, mirrored and lit as `settings` say and `rng` draws.

    Image and label go through the same geometry, the image bilinear, the label by nearest neighbour: a label
    never holds a number that it did not hold before, except `VOID`, which pads it as `fill` pads the image.
    """
    from PIL import Image

    factor = rng.uniform(*settings.scale)
    size = [max(1, round(side * factor)) for side in sample.label.shape]
    out = settings.crop or (size[0], size[1])
    rows, columns = (_Window.draw(rng, *sides) for sides in zip(size, out, strict=True))
    flip = settings.flip and rng.random() < 0.5
    light = rng.uniform(1 - settings.brightness, 1 + settings.brightness)

    image = np.full((*out, 3), fill, np.uint8)
    label = np.full(out, VOID, np.uint8)
    place = (
        slice(rows.target, rows.target + rows.length),
        slice(columns.target, columns.target + columns.length),
    )
    # The part of the original that fills the window, in its own pixels: resizing that part alone is the same
    # as resizing everything and cutting after, but costs no more than the crop.
    height, width = sample.label.shape
    box = (
        columns.source * width / size[1],
        rows.source * height / size[0],
        (columns.source + columns.length) * width / size[1],
        (rows.source + rows.length) * height / size[0],
    )
    target = (columns.length, rows.length)
    image[place] = Image.fromarray(sample.image).resize(target, Image.Resampling.BILINEAR, box)
    label[place] = Image.fromarray(sample.label).resize(target, Image.Resampling.NEAREST, box)
    if settings.brightness:
        image[place] = np.clip(np.rint(image[place] * np.float32(light)), 0, 255)
    if flip:
        image, label = np.ascontiguousarray(image[:, ::-1]), np.ascontiguousarray(label[:, ::-1])
    return Sample(image, label, sample.name)


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
