"""Blur: make a picture less sharp."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite.data.augmentation.base import Single
from fcnlite.data.augmentation.change import Change


@dataclass(frozen=True)
class Blur(Single):
    """Convolve with a Gaussian of standard deviation s ~ U(0, pixels): v'(p) = Σ v(p + d)·G(d).

    G(d) is proportional to exp(−|d|² / 2s²). At the border, the outermost pixel repeats. Pictures of bytes are blurred
    by Pillow, whose three box filters approximate the Gaussian.
    """

    name = "blur"
    form = "blur=PIXELS"
    example = "blur=1"
    about = "convolve with a Gaussian whose standard deviation is from 0 to PIXELS"

    pixels: float

    def __post_init__(self) -> None:
        self.expect(0 < self.pixels <= 100, "above 0, at most 100 pixels")

    def draw(self, change: Change, rng: np.random.Generator) -> None:
        deviation = rng.uniform(0, self.pixels)
        change.look.filters.append(lambda image, preprocessing: blurred(image, deviation))


def blurred(image: np.ndarray, deviation: float) -> np.ndarray:
    """A picture of any type, H×W or H×W×C, convolved with a Gaussian."""
    if image.dtype == np.uint8 and image.shape[2:] in ((), (3,)):
        from PIL import Image, ImageFilter

        return np.array(Image.fromarray(image).filter(ImageFilter.GaussianBlur(deviation)))
    from scipy import ndimage

    found: np.ndarray = ndimage.gaussian_filter(image.astype(np.float32), deviation, mode="nearest", axes=(0, 1))
    return found.astype(image.dtype) if image.dtype.kind == "f" else np.rint(found).astype(image.dtype)
