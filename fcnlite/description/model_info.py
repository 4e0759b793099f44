"""The information on a model that its net does not contain: preprocessing, and names and colours of the classes."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from fcnlite.arrays import Array
from fcnlite.description import json_form
from fcnlite.description.shapes import show
from fcnlite.errors import SpecError

MOST_BANDS = 16
"""Maximum number of bands of a picture, and of input channels that they become."""
PICTURE_TYPES = {8: "uint8", 16: "uint16", 32: "float32"}
"""The NumPy type of a picture's values, by `Preprocessing.bits`."""
MOST_MEAN_VALUES = 1 << 22
"""Maximum number of values in a mean picture; ImageNet's has 3×256×256."""


@dataclass(frozen=True)
class MeanPicture:
    """A mean for each pixel, as in Caffe's `mean_file`: C×H×W float32, with the channels in the net's order."""

    json_fields = json_form.decoders(
        channels=json_form.integer,
        height=json_form.integer,
        width=json_form.integer,
    )

    channels: int
    height: int
    width: int
    values: str = field(repr=False)
    """The little-endian float32 numbers in base64, the form in which the weight file's JSON text stores them."""

    def __post_init__(self) -> None:
        sizes = self.channels, self.height, self.width
        if min(sizes) < 1 or math.prod(sizes) > MOST_MEAN_VALUES:
            raise SpecError(f"a mean picture of {show(sizes)} values; expected 1 to {MOST_MEAN_VALUES}.")
        if len(self.values) != -(-4 * math.prod(sizes) // 3) * 4:
            raise SpecError(f"a mean picture of {show(sizes)} has {len(self.values)} characters; it is damaged.")
        if not np.isfinite(self.array).all():
            raise SpecError("a mean picture holds NaN or infinity; make it again.")

    @staticmethod
    def of(array: Array) -> MeanPicture:
        """`array`, C×H×W, as a mean picture. Raises `SpecError` for other shapes and for too many values."""
        if array.ndim != 3 or not 0 < array.size <= MOST_MEAN_VALUES:
            raise SpecError(
                f"a mean picture has shape {show(array.shape)}; expected C×H×W with at most {MOST_MEAN_VALUES} values."
            )
        channels, height, width = array.shape
        return MeanPicture(channels, height, width, base64.b64encode(array.astype("<f4").tobytes()).decode("ascii"))

    @cached_property
    def array(self) -> Array:
        """C×H×W float32, read-only."""
        try:
            values = np.frombuffer(base64.b64decode(self.values, validate=True), "<f4").astype(np.float32)
            values = values.reshape(self.channels, self.height, self.width)
        except ValueError as error:
            raise SpecError(f"a mean picture is not readable ({error}).") from error
        values.flags.writeable = False
        return values

    @property
    def mean(self) -> tuple[float, ...]:
        """The mean of each channel."""
        return tuple(map(float, self.array.mean(axis=(1, 2), dtype=np.float64)))

    def cut(self, height: int, width: int, crop: int = 0) -> Array | None:
        """The part to subtract from a picture of this height and width, or None if no part matches.

        A picture of the mean's size takes the whole mean. A picture of `crop`×`crop` pixels takes the middle, because
        Caffe cuts such squares from the middle of pictures in phase TEST.
        """
        if (height, width) == (self.height, self.width):
            return self.array
        if height == width == crop and crop <= min(self.height, self.width):
            top, left = (self.height - crop) // 2, (self.width - crop) // 2
            return self.array[:, top : top + crop, left : left + crop]
        return None


@dataclass(frozen=True)
class Preprocessing:
    """The conversion of a picture to the net's input: channel order, mean, scale.

    Each channel of the input is (value − mean) · scale / std. The channels, `mean` and `std` have the order of `color`.
    The defaults are those of the published VGG-16 and FCN nets.
    """

    json_fields = json_form.decoders(
        mean=json_form.numbers,
        scale=json_form.number,
        bits=json_form.integer,
        others=lambda value: _others(value),
        std=json_form.numbers,
        bands=json_form.integers,
        picture_bands=json_form.integer,
        mean_picture=json_form.one(MeanPicture, "mean_picture"),
        crop_size=json_form.integer,
    )

    color: str = "BGR"
    """BGR (Caffe's order), RGB (also for other pictures of three channels, such as HHA, in stored order), GRAY, BANDS
    (the channels are those that `bands` lists), or DEPTH: one channel of distances, whose natural logarithm comes
    before the mean; 0 means that nothing was measured and stays 0."""
    mean: tuple[float, ...] = (104.00699, 116.66877, 122.67892)
    """One value for each channel of the input."""
    scale: float = 1.0
    bits: int = 8
    """The type of the picture's values: 8 (uint8), 16 (uint16) or 32 (float32)."""
    others: Mapping[str, Preprocessing] = field(default_factory=dict)
    """The preprocessing, by name, of the net's inputs that take other pictures."""
    std: tuple[float, ...] = ()
    """The standard deviation of each channel, which divides its values; empty for none."""
    bands: tuple[int, ...] = ()
    """For BANDS: the band of the picture, counted from 1, that becomes each channel of the input."""
    picture_bands: int = 0
    """For BANDS: the number of bands in a picture."""
    mean_picture: MeanPicture | None = None
    """A mean that replaces `mean` for pictures of its size, pixel by pixel; `mean` is then its mean per channel."""
    crop_size: int = 0
    """Height and width of the squares that Caffe cut from pictures; such squares take the middle of `mean_picture`."""
    source: str = ""
    """The origin of these values, in words; empty for values from fcnlite's own training."""

    def __post_init__(self) -> None:
        channels = {"BGR": 3, "RGB": 3, "GRAY": 1, "DEPTH": 1, "BANDS": len(self.bands)}.get(self.color)
        if channels is None:
            raise SpecError(f"preprocessing color {self.color!r}: expected BGR, RGB, GRAY, BANDS or DEPTH.")
        if (self.color == "BANDS") != bool(self.bands) or bool(self.bands) != bool(self.picture_bands):
            raise SpecError("preprocessing: `bands` and `picture_bands` go with color BANDS; give all three, or none.")
        if self.bands and not (
            1 <= self.picture_bands <= MOST_BANDS
            and len(self.bands) <= MOST_BANDS
            and all(1 <= band <= self.picture_bands for band in self.bands)
        ):
            raise SpecError(
                f"preprocessing takes the bands {', '.join(map(str, self.bands[:20]))} of pictures of "
                f"{self.picture_bands}; expected numbers from 1 to the picture's bands, at most {MOST_BANDS}."
            )
        if len(self.mean) != channels:
            raise SpecError(f"preprocessing mean has {len(self.mean)} values; {self.color} needs {channels}.")
        if self.std and len(self.std) != channels:
            raise SpecError(f"preprocessing std has {len(self.std)} values; {self.color} needs {channels}.")
        if not all(0 < each < math.inf for each in self.std):
            raise SpecError(f"preprocessing std is {_row(self.std)}; expected numbers above 0.")
        if self.bits not in (8, 16, 32) or (self.color == "DEPTH" and self.bits != 16):
            raise SpecError(f"preprocessing bits is {self.bits} with {self.color}; expected 8, 16 or 32, of DEPTH 16.")
        if self.mean_picture is not None and self.mean_picture.channels != channels:
            raise SpecError(
                f"preprocessing: the mean picture has {self.mean_picture.channels} channels; {self.color} needs "
                f"{channels}."
            )
        if any(each.others for each in self.others.values()):
            raise SpecError("preprocessing: the inputs in `others` have `others` themselves; expected one level.")

    def of(self, name: str) -> Preprocessing:
        """The preprocessing of the net's input `name`."""
        return self.others.get(name, self)

    def __str__(self) -> str:
        """One line such as "BGR, mean 104.007, 116.669, 122.679, scale 1 (layer 'data': mean_value)"."""
        order = self.color
        if self.bands:
            order = f"bands {', '.join(map(str, self.bands))} of {self.picture_bands}"
        if self.bits != 8:
            order += " of 16 bits" if self.bits == 16 else " of floating-point values"
        parts = [order, f"mean {_row(self.mean)}" if any(self.mean) else "no mean"]
        if self.mean_picture is not None:
            parts[-1] = f"mean picture of {self.mean_picture.height}×{self.mean_picture.width} (mean {_row(self.mean)})"
        if self.std:
            parts.append(f"std {_row(self.std)}")
        parts.append(f"scale {self.scale:.6g}")
        return ", ".join(parts) + (f" ({self.source})" if self.source else "")


def _row(values: Sequence[float]) -> str:
    return ", ".join(f"{each:.6g}" for each in values)


def _others(value: Any) -> dict[str, Preprocessing]:
    """The decoder of `others`, which refuses deeper nesting before it descends."""
    if any(isinstance(item, dict) and "others" in item for item in json_form.mapping(value).values()):
        raise TypeError("expected one level")
    return {name: json_form.decoded(Preprocessing, item, "preprocessing") for name, item in value.items()}


def _colors(value: Any) -> tuple[tuple[int, int, int], ...]:
    colors = tuple((r, g, b) for r, g, b in value)
    if not all(type(part) is int and 0 <= part <= 255 for color in colors for part in color):
        raise TypeError("expected red, green and blue from 0 to 255")
    return colors


@dataclass(frozen=True)
class Labels:
    """The meaning of the numbers in a label map: the name and the (red, green, blue) colour of each class."""

    json_fields = json_form.decoders(classes=json_form.strings, colors=_colors)

    classes: tuple[str, ...] = ()
    colors: tuple[tuple[int, int, int], ...] = ()


@dataclass(frozen=True)
class ModelInfo:
    """The information in a weight file besides the net: how to prepare inputs and how to read outputs."""

    json_fields = json_form.decoders(
        preprocessing=json_form.one(Preprocessing, "preprocessing"),
        classes=json_form.strings,
        colors=_colors,
        more_labels=json_form.by_name(Labels, "labels"),
        record=json_form.mapping,
    )

    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    classes: tuple[str, ...] = ()
    colors: tuple[tuple[int, int, int], ...] = ()
    record: Mapping[str, Any] = field(default_factory=dict)
    """The origin of the weights (command, data, scores), as JSON values for users to read."""
    more_labels: Mapping[str, Labels] = field(default_factory=dict)
    """The labels of a net with several label maps, without the first, by the name of the label blob."""

    def labels(self, name: str) -> Labels:
        """The names and colours of the label blob `name`: those in `more_labels`, else those of the first label map."""
        return self.more_labels.get(name, Labels(self.classes, self.colors))

    def to_json(self) -> str:
        """This information as JSON text; `from_json` reads it back to an equal value."""
        return json_form.dumps(self)

    @staticmethod
    def from_json(text: str) -> ModelInfo:
        """The information that `to_json` wrote. Raises `SpecError` for anything else."""
        info: ModelInfo = json_form.loads(ModelInfo, text, "info", "the model information")
        return info
