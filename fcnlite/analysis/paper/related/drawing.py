"""Draws the data of the examples: strips of digits, envelopes, cells, shapes, and rain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from fcnlite.arrays import Array

Shape: TypeAlias = tuple[int, float, float]
"""The class of a shape, from 1 on (circle, square, triangle), and its centre x, y."""


def strip(images: Array, centres: Array, height: int, width: int, rng: np.random.Generator) -> Array:
    """H×W values from 0 to 255: the digits at these centres, of 18 to 22 pixels, brighter or darker and with noise."""
    drawn = np.zeros((height, width))
    for image, x in zip(images, centres, strict=True):
        side, ink = int(rng.integers(18, 23)), rng.uniform(120, 255) / 16
        enlarged = Image.fromarray((ink * image).astype(np.uint8)).resize((side, side), Image.Resampling.BICUBIC)
        top, left = (height - side) // 2 + int(rng.integers(-2, 3)), round(x - side / 2)
        place = drawn[top : top + side, max(0, left) : left + side]
        np.maximum(place, np.asarray(enlarged)[:, max(0, -left) : max(0, -left) + place.shape[1]], out=place)
    noisy: Array = drawn + rng.normal(0, 25, drawn.shape)
    return noisy


def envelope(height: int, width: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """The ink of a block of text and a stamp, 1×H×W from 0 to 1, and the block's corners (x, y), clockwise."""
    lines, letters, block = int(rng.integers(3, 5)), int(rng.integers(7, 11)), Image.new("L", (width, height), 255)
    left, top = rng.uniform(10, width - 7 * letters - 10), rng.uniform(14, height - 12 * lines - 14)
    for i, letter in enumerate(rng.integers(65, 91, lines * letters).tolist()):
        place = left + 7 * (i % letters), top + 12 * (i // letters)
        ImageDraw.Draw(block).text(place, chr(letter), 40, ImageFont.load_default(12))
    corners = (left, top) + np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) * (7 * letters, 12 * lines)
    turn, middle = rng.uniform(-8, 8), np.array([width, height]) / 2
    turned = block.rotate(turn, Image.Resampling.BILINEAR, fillcolor=255)
    x, y = rng.uniform(0, width - 16), rng.choice([0, height - 14])
    ImageDraw.Draw(turned).rectangle((x, y, x + 14, y + 12), int(rng.integers(60, 160)))  # a stamp
    unit = np.exp(1j * np.radians(turn))  # with y downwards, the picture turns by −turn
    corners = (corners - middle) @ [[unit.real, -unit.imag], [unit.imag, unit.real]] + middle
    return (255 - np.asarray(turned, float) + rng.normal(0, 15, (height, width)))[None] / 255, corners


def cells(side: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """H×W values from 0 to 1 of cells with dark spots, and labels: 1 on a membrane, which is between two centres."""
    rows, columns = np.mgrid[:side, :side]
    centres = rng.uniform(-20, side + 20, (int((side + 40) ** 2 / 800), 2))
    away = np.hypot(rows[..., None] - centres[:, 0], columns[..., None] - centres[:, 1])
    nearest = np.partition(away, 1, axis=2)
    membrane = nearest[..., 1] - nearest[..., 0] < 2.5
    values = np.where(membrane, 0.3, 0.75)
    for y, x, radius in rng.uniform((0, 0, 1.5), (side, side, 3.5), (side**2 // 300, 3)):
        values[np.hypot(rows - y, columns - x) < radius] = 0.3  # a spot as dark as a membrane
    return values + rng.normal(0, 0.12, values.shape), membrane.astype(np.int64)


def shapes(height: int, width: int, centres: Sequence[Shape], rng: np.random.Generator) -> Array:
    """H×W values from −0.5 to 0.5: bright shapes on a background with a slope and noise."""
    drawn = Image.new("L", (width, height), int(rng.integers(30, 90)))
    for kind, x, y in centres:
        turn, fill, circle = int(rng.integers(-20, 21)), int(rng.integers(130, 250)), (x, y, rng.uniform(9, 12))
        ImageDraw.Draw(drawn).regular_polygon(circle, (48, 4, 3)[kind - 1], rotation=turn, fill=fill)
    noise = np.linspace(-20, 20, width) * rng.uniform(-1, 1) + rng.normal(0, 12, (height, width))
    values: Array = (np.asarray(drawn) + noise) / 255 - 0.5
    return values


def rain(clean: Array, rng: np.random.Generator) -> Array:
    """The H×W×3 picture from 0 to 1 with one streak per 120 pixels, all with the same slope."""
    height, width, _ = clean.shape
    layer = Image.new("L", (width, height))
    draw, slope = ImageDraw.Draw(layer), rng.uniform(-0.5, 0.5)
    for _ in range(height * width // 120):
        x, y, length = rng.uniform(0, width), rng.uniform(-8, height), rng.uniform(6, 14)
        draw.line([x, y, x + slope * length, y + length], fill=int(rng.integers(100, 230)))
    share = np.asarray(layer.filter(ImageFilter.GaussianBlur(0.4)), float)[:, :, None] / 255
    rainy: Array = clean + share * (1 - clean)
    return rainy
