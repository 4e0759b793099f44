"""A network as data.

`NetSpec` says what Caffe's prototxt says, in Caffe's words, and computes nothing. Every format reads into it
and writes from it; `Net` runs it. Options hold only what was written down: defaults live in the layers.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import numpy as np

from fcnlite.arrays import Array
from fcnlite.errors import SpecError, nearest

PHASES = ("TRAIN", "TEST")
LONGEST_NAME = 500
"""Characters of a layer's or blob's name: messages quote them whole."""
MOST_BANDS = 16
"""Bands of a picture, and channels made of them."""
PICTURE_TYPES = {8: "uint8", 16: "uint16", 32: "float32"}
"""NumPy's types of pictures by `Preprocessing.bits`."""
MOST_MEAN_VALUES = 1 << 22
"""Numbers of a mean picture: ImageNet's has 3×256×256."""


@dataclass(frozen=True)
class ParamSpec:
    """One `param { ... }` of a layer: multipliers on rate and decay, and a name to share it by."""

    name: str = ""
    lr_mult: float = 1.0
    decay_mult: float = 1.0
    share_mode: str = "STRICT"
    """STRICT or PERMISSIVE, as Caffe writes it; here sharers must have equal shapes in either case."""


@dataclass(frozen=True)
class StateRule:
    """One `include { ... }` or `exclude { ... }`: the states of the net that it speaks of."""

    phase: str | None = None
    min_level: int | None = None
    max_level: int | None = None
    stage: tuple[str, ...] = ()
    not_stage: tuple[str, ...] = ()

    def met(self, phase: str, level: int, stages: frozenset[str]) -> bool:
        return (
            (self.phase is None or self.phase == phase)
            and (self.min_level is None or level >= self.min_level)
            and (self.max_level is None or level <= self.max_level)
            and all(stage in stages for stage in self.stage)
            and not any(stage in stages for stage in self.not_stage)
        )


@dataclass(frozen=True)
class LayerSpec:
    """One layer: type, blobs, multipliers and the options that were written down.

    `options` merges the layer's parameter messages (for SoftmaxWithLoss: `loss_param` and `softmax_param`)
    into one mapping of JSON values: numbers, strings (enums by name), booleans, lists for repeated fields,
    mappings for nested messages (fillers, `shape`).
    """

    name: str
    type: str
    bottom: tuple[str, ...] = ()
    top: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    param: tuple[ParamSpec, ...] = ()
    loss_weight: tuple[float, ...] = ()
    propagate_down: tuple[bool, ...] = ()
    phase: str | None = None
    """Overrides the net's phase for this layer alone."""
    include: tuple[StateRule, ...] = ()
    exclude: tuple[StateRule, ...] = ()
    where: str = field(default="", compare=False)
    """File and line of a layer whose type was not known when the file was read; for messages."""

    def included(self, phase: str, level: int, stages: frozenset[str]) -> bool:
        """Whether the rules let the layer into a net of this state. Raises `SpecError` where it has both kinds."""
        if self.include and self.exclude:
            raise SpecError(f"layer {self.name!r}: has include and exclude rules; keep one kind.")
        if self.include:
            return any(rule.met(phase, level, stages) for rule in self.include)
        return not any(rule.met(phase, level, stages) for rule in self.exclude)


@dataclass(frozen=True)
class NetSpec:
    """A net: its layers in order. Inputs are layers of type `Input`."""

    name: str = ""
    layers: tuple[LayerSpec, ...] = ()
    force_backward: bool = False
    level: int = 0
    stage: tuple[str, ...] = ()
    """With the phase, the state that the net is in: what the layers' include and exclude rules speak of."""

    def __post_init__(self) -> None:
        seen: set[tuple[str, tuple[StateRule, ...], tuple[StateRule, ...]]] = set()
        for layer in self.layers:
            if any(len(name) > LONGEST_NAME for name in (layer.name, layer.type, *layer.bottom, *layer.top)):
                raise SpecError(
                    f"layer {layer.name[:40]!r}: its names are longer than {LONGEST_NAME} characters; shorten them."
                )
            key = (layer.name, layer.include, layer.exclude)
            if key in seen:
                raise SpecError(f"layer {layer.name!r}: two layers have this name; names must differ.")
            seen.add(key)

    def at(self, level: int = 0, stages: Sequence[str] = ()) -> NetSpec:
        """This net in another state: at `level`, unless that is 0, and with `stages` beside those that it has."""
        return replace(self, level=level or self.level, stage=(*self.stage, *stages))

    def for_phase(self, phase: str) -> NetSpec:
        """The net as one phase sees it: layers whose include/exclude rules do not hold are left out."""
        if phase not in PHASES:
            raise SpecError(f"phase {phase!r}: expected TRAIN or TEST.")
        given = frozenset(self.stage)
        kept = tuple(layer for layer in self.layers if layer.included(phase, self.level, given))
        available: set[str] = set()
        names: set[str] = set()
        for layer in kept:
            if layer.name in names:
                raise SpecError(f"layer {layer.name!r}: two layers have this name in phase {phase}; names must differ.")
            names.add(layer.name)
            for blob in layer.bottom:
                if blob not in available:
                    hint = nearest(blob, available)
                    raise SpecError(f"layer {layer.name!r}: no layer before it makes its bottom {blob!r}; {hint}")
            for blob in layer.top:
                if blob in available and blob not in layer.bottom:
                    raise SpecError(
                        f"layer {layer.name!r}: top {blob!r} is already made by an earlier layer; "
                        "rename it, or list it as bottom too to write it in place."
                    )
                available.add(blob)
        return replace(self, layers=kept)

    def __iter__(self) -> Iterator[LayerSpec]:
        return iter(self.layers)

    def layer(self, name: str) -> LayerSpec:
        """The layer called `name`."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise SpecError(f"no layer is called {name!r}; {nearest(name, (each.name for each in self.layers))}")

    def to_json(self) -> str:
        """This net as JSON text; `from_json` reads it back to an equal spec."""
        return json.dumps(_plain(self))

    @staticmethod
    def from_json(text: str) -> NetSpec:
        """The net that `to_json` wrote. Raises `SpecError` for anything else."""
        try:
            raw = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise SpecError(f"the network description is not JSON ({error}).") from error
        return _from_plain(NetSpec, raw, "net")


@dataclass(frozen=True)
class MeanPicture:
    """A mean for every pixel, as Caffe's `mean_file` holds it: C×H×W float32, channels in the net's order."""

    channels: int
    height: int
    width: int
    values: str = field(repr=False)
    """The little-endian float32 numbers in base64, as the weight file's JSON text keeps them."""

    def __post_init__(self) -> None:
        sizes = self.channels, self.height, self.width
        if min(sizes) < 1 or math.prod(sizes) > MOST_MEAN_VALUES:
            raise SpecError(f"a mean picture of {_show(sizes)} values; expected 1 to {MOST_MEAN_VALUES}.")
        if len(self.values) != -(-4 * math.prod(sizes) // 3) * 4:
            raise SpecError(f"a mean picture of {_show(sizes)} has {len(self.values)} characters; it is damaged.")
        if not np.isfinite(self.array).all():
            raise SpecError("a mean picture holds NaN or infinity; make it again.")

    @staticmethod
    def of(array: Array) -> MeanPicture:
        """`array`, C×H×W, as a mean picture. Raises `SpecError` for another number of axes or values."""
        if array.ndim != 3 or not 0 < array.size <= MOST_MEAN_VALUES:
            raise SpecError(
                f"a mean picture has shape {_show(array.shape)}; expected C×H×W with at most {MOST_MEAN_VALUES} values."
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
        """The part to subtract from a picture of this height and width; None where it fits none.

        A picture of the mean's size takes all of it. One of `crop`×`crop`, the squares that Caffe cuts from the middle
        of pictures in its TEST phase, takes the middle.
        """
        if (height, width) == (self.height, self.width):
            return self.array
        if height == width == crop and crop <= min(self.height, self.width):
            top, left = (self.height - crop) // 2, (self.width - crop) // 2
            return self.array[:, top : top + crop, left : left + crop]
        return None


@dataclass(frozen=True)
class Preprocessing:
    """What turns a picture's values into the net's input: channel order, mean, scale.

    A channel of the input is (value − mean) · scale / std, the channels in the order of `color`, which mean and std
    follow too. The default is that of the published VGG-16 and FCN nets.
    """

    color: str = "BGR"
    """BGR (Caffe), RGB (also other pictures of three channels, as they are stored: HHA), GRAY, BANDS (those that
    `bands` names), or DEPTH: one channel of distances, of which the natural logarithm is taken first; 0, nothing
    measured, becomes 0."""
    mean: tuple[float, ...] = (104.00699, 116.66877, 122.67892)
    """One value for each channel of the input."""
    scale: float = 1.0
    bits: int = 8
    """Type of the picture's values: 8 (uint8), 16 (uint16), or 32 (float32)."""
    others: Mapping[str, Preprocessing] = field(default_factory=dict)
    """By name, the inputs of the net that take other pictures than this says."""
    std: tuple[float, ...] = ()
    """The standard deviation of each channel, by which it is divided; empty for none."""
    bands: tuple[int, ...] = ()
    """For BANDS: the band of the picture, counted from 1, that each channel of the input takes."""
    picture_bands: int = 0
    """For BANDS: how many bands a picture has."""
    mean_picture: MeanPicture | None = None
    """Subtracted pixel by pixel, in place of `mean`, from pictures of its size; `mean` is then its mean per channel."""
    crop_size: int = 0
    """Height and width of the squares that Caffe cut from its pictures; they take the middle of `mean_picture`."""
    source: str = ""
    """Where these values come from, in words; empty where they are fcnlite's own, from training."""

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
        """What the net's input `name` takes."""
        return self.others.get(name, self)

    def __str__(self) -> str:
        """In one line: "BGR, mean 104.007, 116.669, 122.679, scale 1 (layer 'data': mean_value)"."""
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


def _show(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))


def _row(values: Sequence[float]) -> str:
    return ", ".join(f"{each:.6g}" for each in values)


@dataclass(frozen=True)
class Labels:
    """What the numbers of a label map mean: the name and the (red, green, blue) colour of each class."""

    classes: tuple[str, ...] = ()
    colors: tuple[tuple[int, int, int], ...] = ()


@dataclass(frozen=True)
class ModelInfo:
    """What a weight file tells beside the net: how to feed it and how to read its answer."""

    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    classes: tuple[str, ...] = ()
    colors: tuple[tuple[int, int, int], ...] = ()
    record: Mapping[str, Any] = field(default_factory=dict)
    """How the weights were made (command, data, figures): JSON values, for people."""
    more_labels: Mapping[str, Labels] = field(default_factory=dict)
    """Where the net learned several label maps: those beside the first, by the blob of the label."""

    def labels(self, name: str) -> Labels:
        """Names and colours of the label `name`, the first unless it is among the others; empty where unknown."""
        return self.more_labels.get(name, Labels(self.classes, self.colors))

    def to_json(self) -> str:
        return json.dumps(_plain(self))

    @staticmethod
    def from_json(text: str) -> ModelInfo:
        try:
            raw = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise SpecError(f"the model information is not JSON ({error}).") from error
        return _from_plain(ModelInfo, raw, "info")


def _plain(value: Any) -> Any:
    """Dataclasses to mappings of what differs from the default; tuples to lists."""
    if hasattr(value, "__dataclass_fields__"):
        out = {}
        for each in fields(value):
            if not each.compare:
                continue
            item = getattr(value, each.name)
            default = each.default_factory() if callable(each.default_factory) else each.default
            if item != default:
                out[each.name] = _plain(item)
        return out
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _strings(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TypeError("expected a list of strings")
    return tuple(value)


def _floats(value: Any) -> tuple[float, ...]:
    if not isinstance(value, list):
        raise TypeError("expected a list of numbers")
    return tuple(_only(float)(item) for item in value)


def _booleans(value: Any) -> tuple[bool, ...]:
    if not isinstance(value, list) or not all(isinstance(item, bool) for item in value):
        raise TypeError("expected a list of true and false")
    return tuple(value)


def _colors(value: Any) -> tuple[tuple[int, int, int], ...]:
    colors = tuple((r, g, b) for r, g, b in value)
    if not all(type(part) is int and 0 <= part <= 255 for color in colors for part in color):
        raise TypeError("expected red, green and blue from 0 to 255")
    return colors


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("expected a mapping")
    return value


def _many(kind: type) -> Any:
    return lambda value: tuple(_from_plain(kind, item, kind.__name__) for item in value)


def _others(value: Any) -> dict[str, Preprocessing]:
    """One level: what is nested deeper is refused before it is gone into."""
    if any(isinstance(item, dict) and "others" in item for item in _mapping(value).values()):
        raise TypeError("expected one level")
    return {name: _from_plain(Preprocessing, item, "preprocessing") for name, item in value.items()}


def _only(kind: type) -> Any:
    def convert(value: Any) -> Any:
        if kind is float and type(value) is int:
            return float(value)
        if type(value) is not kind:  # isinstance would take true for a number
            raise TypeError(f"expected {kind.__name__}")
        return value

    return convert


_CONVERTERS: dict[tuple[str, str], Any] = {
    ("NetSpec", "layers"): _many(LayerSpec),
    ("NetSpec", "force_backward"): _only(bool),
    ("NetSpec", "level"): _only(int),
    ("NetSpec", "stage"): _strings,
    ("LayerSpec", "bottom"): _strings,
    ("LayerSpec", "top"): _strings,
    ("LayerSpec", "options"): _mapping,
    ("LayerSpec", "param"): _many(ParamSpec),
    ("LayerSpec", "loss_weight"): _floats,
    ("LayerSpec", "propagate_down"): _booleans,
    ("LayerSpec", "include"): _many(StateRule),
    ("LayerSpec", "exclude"): _many(StateRule),
    ("ParamSpec", "lr_mult"): _only(float),
    ("ParamSpec", "decay_mult"): _only(float),
    ("StateRule", "min_level"): _only(int),
    ("StateRule", "max_level"): _only(int),
    ("StateRule", "stage"): _strings,
    ("StateRule", "not_stage"): _strings,
    ("Preprocessing", "mean"): _floats,
    ("Preprocessing", "scale"): _only(float),
    ("Preprocessing", "bits"): _only(int),
    ("Preprocessing", "others"): _others,
    ("Preprocessing", "std"): _floats,
    ("Preprocessing", "bands"): lambda value: tuple(map(_only(int), value)),
    ("Preprocessing", "picture_bands"): _only(int),
    ("Preprocessing", "mean_picture"): lambda value: _from_plain(MeanPicture, value, "mean_picture"),
    ("Preprocessing", "crop_size"): _only(int),
    ("MeanPicture", "channels"): _only(int),
    ("MeanPicture", "height"): _only(int),
    ("MeanPicture", "width"): _only(int),
    ("Labels", "classes"): _strings,
    ("Labels", "colors"): _colors,
    ("ModelInfo", "preprocessing"): lambda value: _from_plain(Preprocessing, value, "preprocessing"),
    ("ModelInfo", "classes"): _strings,
    ("ModelInfo", "colors"): _colors,
    ("ModelInfo", "more_labels"): lambda value: {
        name: _from_plain(Labels, item, "labels") for name, item in _mapping(value).items()
    },
    ("ModelInfo", "record"): _mapping,
}


def _from_plain(kind: type, raw: Any, where: str) -> Any:
    """A dataclass from its mapping; a field unknown or of the wrong kind is a `SpecError`."""
    if not isinstance(raw, dict):
        raise SpecError(f"{where}: expected a mapping, found {type(raw).__name__}.")
    known = {each.name for each in fields(kind)}
    values = {}
    for key, value in raw.items():
        if key not in known:
            raise SpecError(f"{where}: unknown field {key!r}; {nearest(key, known)}")
        convert = _CONVERTERS.get((kind.__name__, key), _only(str))
        try:
            values[key] = convert(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise SpecError(f"{where}: field {key!r} is not usable ({error}).") from error
    try:
        return kind(**values)
    except TypeError as error:
        raise SpecError(f"{where}: a field is missing ({error}).") from error
