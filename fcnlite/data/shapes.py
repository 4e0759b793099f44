"""Generates pictures of textured, overlapping shapes on a textured background. It needs no files.

A class is an outline with a texture. Colours, sizes, rotations and light are random for every shape, so colour alone
does not determine the class. As in PASCAL VOC, a thin void border surrounds each shape.

Scenes are larger pictures of many shapes, which are shaded by one light and cast soft shadows on each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from fcnlite.data.dataset import Dataset
from fcnlite.data.palette import voc_colors
from fcnlite.data.problems import Progress
from fcnlite.data.sample import VOID, Sample
from fcnlite.data.seeding import generator
from fcnlite.description.model_info import Labels
from fcnlite.errors import DataError

COUNTS = {"train": 2000, "val": 100, "test": 100}
SIZES = range(32, 2049)
BORDER = 1.0
"""The width of the void border on each side of an outline, in pixels."""
PIXELS_OF_A_SHAPE = 6000
"""The mean area of a scene per shape, in pixels."""


class Shapes(Dataset):
    """`count` pictures of `size`×`size` pixels, each a function of (seed, split, index) and the size alone.

    With `scene`, pictures are `size` pixels high and 1.5 times as wide. The size of the shapes in a scene does not
    depend on `size`: larger scenes hold more shapes. With `single`, a picture shows one whole shape.

    With a `context` above 0, each picture has a class of its own, whose hue the background has. This is the class of
    each shape with a probability of `context`; the others are drawn as without it. Only pictures without `scene` and
    `single` have a context.

    Classes: background, disc, square, triangle, star, cross.
    """

    splits = tuple(COUNTS)

    def __init__(
        self,
        split: str,
        *,
        size: int = 96,
        count: int | None = None,
        seed: int = 0,
        scene: bool = False,
        context: float = 0.0,
        single: bool = False,
    ) -> None:
        names = ("background", *(each.name for each in _SHAPE_CLASSES))
        super().__init__("shapes", split, {"label": Labels(names, voc_colors(len(names)))})
        if size not in SIZES:
            raise DataError(f"data set 'shapes': size is {size}; expected {SIZES[0]} to {SIZES[-1]} pixels.")
        if not 0 <= context <= 1 or (context and (scene or single)):
            raise DataError(
                f"data set 'shapes': context is {context}; expected a probability, 0 to 1, and 0 for scene and single."
            )
        self.origin = f"size {size}, seed {seed}" + (f", context {context}" if context else "")
        self._count = COUNTS[split] if count is None else count
        if self._count < 1:
            raise DataError(f"data set 'shapes': count is {count}; expected at least 1.")
        self._size = size
        self._seed = seed
        if scene and single:
            raise DataError("data set 'shapes': a scene has many shapes; leave out scene or single.")
        self._kind = "scene" if scene else "single" if single else "shapes"
        self._context = context

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < self._count:
            raise IndexError(f"sample {index} of {self._count}")
        rng = generator(self._kind, self._seed, self.splits.index(self.split), index)
        image, label = self._draw(rng)
        return Sample({"data": image.astype(np.uint8)}, {"label": label}, f"{self._kind}-{self.split}-{index:05d}")

    def _draw(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        if self._kind == "scene":
            return _scene(rng, self._size)
        if self._kind == "single":
            return _single(rng, self._size)
        return _simple(rng, self._size, self._context)

    def usable(self, progress: Progress | None = None) -> tuple[Sequence[int], list[str]]:
        """All samples, without problems, since they are generated."""
        return range(self._count), []


# Outlines: the signed distance of points (x, y) from the outline of a shape in the unit circle, negative inside.
# The distances need to be exact only near the outline.


def _disc(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.hypot(x, y) - 0.9


def _square(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.maximum(abs(x), abs(y)) - 0.7


def _triangle(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.maximum(y, math.sqrt(0.75) * abs(x) - 0.5 * y) - 0.5


def _star(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A star of five points: symmetry maps every point to the edge from the tip (1, 0) to a corner at radius 0.45."""
    half = math.pi / 5
    angle = abs((np.arctan2(y, x) + half) % (2 * half) - half)
    radius = np.hypot(x, y)
    edge_x, edge_y = 0.45 * math.cos(half) - 1, 0.45 * math.sin(half)
    length = math.hypot(edge_x, edge_y)
    return ((radius * np.cos(angle) - 1) * edge_y - radius * np.sin(angle) * edge_x) / length


def _cross(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    longer, shorter = np.maximum(abs(x), abs(y)), np.minimum(abs(x), abs(y))
    return np.maximum(longer - 0.95, shorter - 0.32)


# Textures: the share of the second colour, from 0 to 1, at points (u, v) in units of a period.


def _clouds(u: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A sum of plane waves of random direction, with wavelengths of four to eight periods."""
    total = np.zeros_like(u)
    for _ in range(5):
        angle, phase = rng.uniform(0, 2 * math.pi, 2)
        wave = 2 * math.pi / rng.uniform(4, 8)
        total += np.cos(u * (wave * math.cos(angle)) + v * (wave * math.sin(angle)) + phase)
    return 0.5 + total / 10


def _rings(u: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return _steep(np.cos(2 * math.pi * np.hypot(u, v)))


def _checks(u: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return _steep(2 * np.cos(math.pi * u) * np.cos(math.pi * v))


def _stripes(u: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return _steep(np.cos(2 * math.pi * u))


def _grains(u: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rng.random(u.shape, np.float32)


def _dots(u: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return _steep(np.cos(2 * math.pi * u) + np.cos(2 * math.pi * v) - 0.6)


def _steep(wave: np.ndarray) -> np.ndarray:
    """Turn a wave around 0 into a pattern of two colours with soft edges."""
    return np.clip(0.5 + 1.5 * wave, 0, 1)


class _ShapeClass(NamedTuple):
    """One class: its name, outline and texture."""

    name: str
    outline: Callable[[np.ndarray, np.ndarray], np.ndarray]
    texture: Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]


_SHAPE_CLASSES = (
    _ShapeClass("disc", _disc, _rings),
    _ShapeClass("square", _square, _checks),
    _ShapeClass("triangle", _triangle, _stripes),
    _ShapeClass("star", _star, _grains),
    _ShapeClass("cross", _cross, _dots),
)


class _Shape(NamedTuple):
    """The random properties of a shape that are drawn before it is painted."""

    label: int
    radius: float
    x: float
    y: float
    """The centre (x, y), in pixels."""


class _Sun(NamedTuple):
    """The light of a scene: the unit vector along which shadows fall."""

    x: float
    y: float


def _simple(rng: np.random.Generator, size: int, context: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Draw a few shapes on a square background: float32 colours from 0 to 255, and labels."""
    home = int(rng.integers(len(_SHAPE_CLASSES))) if context else None
    image, label = _ground(rng, size, size)
    if home is not None:
        image = _with_hue(image, home / len(_SHAPE_CLASSES) + rng.uniform(-0.03, 0.03))
    for _ in range(rng.integers(2, 6)):
        number = int(rng.integers(len(_SHAPE_CLASSES)))
        if home is not None and rng.random() < context:
            number = home
        _paint(rng, image, label, _Shape(number + 1, size * rng.uniform(0.14, 0.3), *rng.uniform(0, size, 2)))
    _daylight(rng, image)
    return image, label


def _single(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw one shape, which does not touch the border, on a square background, like `_simple`."""
    image, label = _ground(rng, size, size)
    number = int(rng.integers(len(_SHAPE_CLASSES)))
    radius = size * rng.uniform(0.2, 0.4)
    _paint(rng, image, label, _Shape(number + 1, radius, *rng.uniform(radius, size - radius, 2)))
    _daylight(rng, image)
    return image, label


def _scene(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw many shapes under one light, smaller ones over larger ones."""
    height, width = size, 3 * size // 2
    image, label = _ground(rng, height, width)
    count = max(3, round(height * width / PIXELS_OF_A_SHAPE * rng.uniform(0.8, 1.2)))
    radii = np.sort(rng.uniform(min(12, 0.15 * size), min(48, 0.3 * size), count))[::-1]
    angle = rng.uniform(0, 2 * math.pi)
    sun = _Sun(math.cos(angle), math.sin(angle))
    shapes: list[_Shape] = []
    for place, radius in enumerate(radii.tolist()):
        if place % len(_SHAPE_CLASSES) == 0:
            order = rng.permutation(len(_SHAPE_CLASSES))  # makes all classes about equally frequent
        # Of three random places, take the one farthest from other shapes: shapes spread, but still overlap in places.
        tried = rng.uniform(0, 1, (3, 2)) * (width, height)
        room = [min((math.hypot(x - s.x, y - s.y) - s.radius for s in shapes), default=0.0) for x, y in tried]
        shapes.append(_Shape(int(order[place % len(_SHAPE_CLASSES)]) + 1, radius, *tried[np.argmax(room)].tolist()))
        _paint(rng, image, label, shapes[-1], sun)
    strength = rng.uniform(0.1, 0.3)
    _light(rng, image, rng.uniform(0.85, 1.1), -strength * sun.x, -strength * sun.y)
    return image, label


def _ground(rng: np.random.Generator, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw the background: height×width×3 float32 colours from 0 to 255, and labels 0."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    period = rng.uniform(5, 9)
    image = _colored(_clouds(columns / period, rows / period, rng), rng)
    return image, np.zeros((height, width), np.uint8)


def _paint(
    rng: np.random.Generator, image: np.ndarray, label: np.ndarray, shape: _Shape, sun: _Sun | None = None
) -> None:
    """Paint `shape` over the picture, with shading and a shadow if there is a sun.

    Only the box around the shape is computed.
    """
    shape_class = _SHAPE_CLASSES[shape.label - 1]
    radius = shape.radius
    lift = 0.0 if sun is None else radius * rng.uniform(0.12, 0.3)  # the distance of the shadow
    reach = radius + BORDER + 1 + 2 * lift
    top, left = (max(0, math.floor(middle - reach)) for middle in (shape.y, shape.x))
    bottom, right = (
        min(side, math.ceil(middle + reach) + 1) for middle, side in zip((shape.y, shape.x), label.shape, strict=True)
    )
    y, x = np.mgrid[top:bottom, left:right].astype(np.float32)
    x -= shape.x
    y -= shape.y

    turn = rng.uniform(0, 2 * math.pi)
    turned_x, turned_y = _rotated(x / radius, y / radius, turn)
    distance = radius * shape_class.outline(turned_x, turned_y)
    period = rng.uniform(5, 9)
    u, v = _rotated(x / period, y / period, rng.uniform(0, 2 * math.pi))
    surface = _colored(shape_class.texture(u, v, rng), rng)

    box = image[top:bottom, left:right]
    if sun is not None:
        shifted = _rotated((x - lift * sun.x) / radius, (y - lift * sun.y) / radius, turn)
        soft = 1 + 0.6 * lift  # half the width of the soft edge, which grows with the height
        box *= 1 - 0.55 * np.clip(0.5 - radius * shape_class.outline(*shifted) / (2 * soft), 0, 1)[:, :, None]
        surface *= _shading(distance, x / radius, y / radius, sun)[:, :, None]
    covered = np.clip(0.5 - distance, 0, 1)[:, :, None]
    box += covered * (surface - box)
    labels = label[top:bottom, left:right]
    labels[distance < BORDER] = VOID
    labels[distance < -BORDER] = shape.label


def _shading(distance: np.ndarray, x: np.ndarray, y: np.ndarray, sun: _Sun) -> np.ndarray:
    """Brightness factors of a slightly domed surface with a rim, brighter towards the light."""
    slope_y, slope_x = np.gradient(distance)
    rim = np.exp(np.minimum(distance, 0) / 2.5)  # decays within a few pixels from the outline
    return 1 - 0.25 * rim * (slope_x * sun.x + slope_y * sun.y) - 0.15 * (x * sun.x + y * sun.y)


def _daylight(rng: np.random.Generator, image: np.ndarray) -> None:
    """Apply light from a random side, and noise, in place."""
    slope_x, slope_y = rng.uniform(-0.25, 0.25, 2)
    _light(rng, image, rng.uniform(0.75, 1.1), slope_x, slope_y)


def _light(rng: np.random.Generator, image: np.ndarray, level: float, slope_x: float, slope_y: float) -> None:
    """Apply light that varies linearly across the picture, and sensor noise, in place."""
    across, down = (np.linspace(-1, 1, side, dtype=np.float32) for side in (image.shape[1], image.shape[0]))
    image *= level + slope_x * across[None, :, None] + slope_y * down[:, None, None]
    image += rng.standard_normal(image.shape, np.float32) * 4
    np.clip(image, 0, 255, out=image)


def _colored(pattern: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Colour an H×W `pattern` from 0 to 1 with two random colours of clearly different brightness, as H×W×3."""
    first = rng.uniform(20, 235, 3)
    step = rng.uniform(60, 130) + rng.uniform(-40, 40, 3)
    second = np.where(first.mean() < 128, first + step, first - step)
    low, high = np.clip([first, second], 0, 255).astype(np.float32)
    return low + pattern[:, :, None] * (high - low)


def _with_hue(image: np.ndarray, hue: float) -> np.ndarray:
    """An H×W×3 picture in one hue, in turns (0 red, 1/3 green, 2/3 blue), with the brightness of `image`."""
    channels = 1 + 0.6 * np.cos(2 * math.pi * (hue - np.arange(3) / 3))
    found: np.ndarray = image.mean(axis=2, keepdims=True) * channels.astype(np.float32)
    return found


def _rotated(x: np.ndarray, y: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Rotate points by `angle` radians."""
    cos, sin = math.cos(angle), math.sin(angle)
    return x * cos - y * sin, x * sin + y * cos
