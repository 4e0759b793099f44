"""Files that the explorer refuses, with words of the sentence that says why."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from fcnlite.explore.inference.session import MOST_PIXELS
from tests.explore.conftest import png


class Upload(NamedTuple):
    """A file, and a pattern of the sentence that refuses it."""

    name: str
    content: np.ndarray
    words: str


def encoded(values: np.ndarray, kind: str, **options: Any) -> np.ndarray:
    """The bytes of a picture file."""
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, format=kind, **options)
    return np.frombuffer(stream.getvalue(), np.uint8)


def bomb() -> np.ndarray:
    """A PNG of a few hundred bytes that says that it has 60000×60000 pixels."""
    content = bytearray(png(np.zeros((1, 1), np.uint8)).tobytes())
    content[16:24] = struct.pack(">II", 60000, 60000)
    content[29:33] = struct.pack(">I", zlib.crc32(bytes(content[12:29])))
    return np.frombuffer(bytes(content), np.uint8)


def npy(values: np.ndarray) -> np.ndarray:
    """The bytes of a NumPy file."""
    stream = io.BytesIO()
    np.save(stream, values)
    return np.frombuffer(stream.getvalue(), np.uint8)


def text(content: bytes) -> np.ndarray:
    return np.frombuffer(content, np.uint8)


GRAY, DEEP = np.zeros((8, 8), np.uint8), np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000
GOOD = png(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
PICTURES = (
    Upload("text.png", text(b"not a picture at all"), "not a picture in a known format"),
    Upload("empty.png", text(b""), "not a picture in a known format"),
    Upload("truncated.png", GOOD[: len(GOOD) // 2], "damaged"),
    Upload("bomb.png", bomb(), "too large"),
    Upload("large.png", png(np.zeros((2049, 2048), np.uint8)), "2048×2049 pixels; the explorer takes up to"),
    Upload("deep.png", png(DEEP), "more than 8 bits"),
    Upload("deep.tif", encoded(DEEP, "TIFF"), "more than 8 bits"),
    Upload("transparent.png", png(np.zeros((8, 8, 4), np.uint8)), "fully transparent"),
    Upload(
        "animation.gif",
        encoded(GRAY, "GIF", save_all=True, append_images=[Image.fromarray(GRAY + 90)]),
        "several pictures",
    ),
    Upload("objects.npy", npy(np.array([{}], dtype=object)), "not a readable .npy file"),
    Upload("holes.npy", npy(np.full((8, 8, 3), np.nan, np.float32)), "NaN"),
    Upload("wide.npy", npy(np.zeros((1, MOST_PIXELS + 1), np.uint8)), "the explorer takes up to"),
    Upload("other.h5", text(b"\x89HDF\r\n\x1a\nof something else"), "fcnlite.explore other.h5"),
    Upload("net.caffemodel", text(b"weights without a prototxt"), "fcnlite.explore net.caffemodel"),
    Upload("C:\\photos\\..\\my <b>cat.png", text(b"a path as its name"), "^my <b>cat.png: is not a picture"),
    Upload("../../etc/passwd", text(b"root:x:0:0"), "^passwd: is not a picture"),
)
LABEL = np.zeros((37, 50), np.uint8)
TRUTHS = (
    Upload("small.png", png(LABEL[:20]), "50×20 pixels, the picture 50×37"),
    Upload("classes.png", png(LABEL + 77), "class number 77, but the net has"),
    Upload("many.png", png(np.arange(37 * 50, dtype=np.uint16).reshape(37, 50) % 300), "values up to 299; expected 0"),
    Upload("label.jpg", encoded(LABEL, "JPEG"), "must be PNG"),
    Upload("colours.png", png(np.zeros((37, 50, 3), np.uint8)), "holds colours"),
    Upload("text.png", text(b"x"), "not a picture"),
)
"""For a picture of 37 rows and 50 columns."""
