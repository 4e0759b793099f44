"""Noise: add random numbers to every value, as a sensor does in poor light."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import numpy as np

from fcnlite.data.augmentation.base import Single, is_photograph
from fcnlite.data.augmentation.change import Change
from fcnlite.data.augmentation.look import as_type
from fcnlite.description.model_info import Preprocessing


@dataclass(frozen=True)
class Noise(Single):
    """v' = v + s·z, with s ~ U(0, amount) for the picture and z ~ N(0, 1) for each value.

    The unit of s is a gray level of a photograph; for other pictures it is what a gray level is after preprocessing,
    std / scale: for bands with measured deviations 1/58 of a deviation. z takes the 256 values that divide the normal
    distribution into equal shares, each of which one random byte chooses.
    """

    name = "noise"
    form = "noise=LEVELS"
    example = "noise=10"
    about = "add normal noise with a standard deviation from 0 to LEVELS gray levels"

    amount: float

    def __post_init__(self) -> None:
        self.expect(0 < self.amount <= 255, "above 0, at most 255")

    def draw(self, change: Change, rng: np.random.Generator) -> None:
        deviation = rng.uniform(0, self.amount)
        change.look.filters.append(lambda image, preprocessing: noisy(image, deviation, preprocessing, rng))


def noisy(image: np.ndarray, deviation: float, preprocessing: Preprocessing, rng: np.random.Generator) -> np.ndarray:
    """A picture of any type with noise of this standard deviation, in gray levels."""
    chosen, levels = rng.bytes(image.size), deviation * normal_values()
    if is_photograph(preprocessing):
        table = np.clip(np.rint(levels), -128, 127).astype(np.int8)
        added = np.frombuffer(chosen.translate(table.tobytes()), np.int8).reshape(image.shape)
        return np.clip(np.add(image, added, dtype=np.int16), 0, 255).astype(np.uint8)
    drawn = levels[np.frombuffer(chosen, np.uint8).reshape(image.shape)] * gray_level(preprocessing)
    return as_type(image + drawn.astype(np.float32), image.dtype)


def gray_level(preprocessing: Preprocessing) -> np.ndarray | float:
    """What a gray level of a photograph is in pictures of another kind, for each band of the picture."""
    if not preprocessing.bands:
        return (preprocessing.std or (1.0,))[0] / preprocessing.scale
    unit = np.zeros(preprocessing.picture_bands)
    unit[[band - 1 for band in preprocessing.bands]] = np.array(preprocessing.std or 1.0) / preprocessing.scale
    return unit if len(unit) > 1 else float(unit[0])


@cache
def normal_values() -> np.ndarray:
    """256 values in equal distances of probability, with a mean of 0 and a variance of 1."""
    values = np.array([NormalDist().inv_cdf((i + 0.5) / 256) for i in range(256)])
    scaled: np.ndarray = values / values.std()
    return scaled
