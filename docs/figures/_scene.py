"""One pass of the shipped net weights/shapes-fcn8s.h5 over a part of examples/shapes.png: what several figures show."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import fcnlite
from fcnlite.data.transforms import to_blob

ROOT = Path(__file__).parents[2]
PART = np.s_[128:320, 128:416]
"""The part of the picture that is shown: all of it would be too small."""


@cache
def scene() -> tuple[Any, np.ndarray, np.ndarray]:
    """The net, the picture (H×W×3) and its labels (H×W) after a forward pass that kept its blobs."""
    net = fcnlite.load(ROOT / "weights" / "shapes-fcn8s.h5", path="plain")
    picture = np.array(Image.open(ROOT / "examples" / "shapes.png").convert("RGB"))
    label = np.array(Image.open(ROOT / "examples" / "shapes_truth.png"))
    picture, label = picture[PART], label[PART]
    net.forward(data=to_blob(picture, net.info.preprocessing)[None], keep=True)
    return net, picture, label


def colored(labels: np.ndarray, net: Any) -> np.ndarray:
    """A label map in the net's colours; void is light."""
    table = np.full((256, 3), (224, 224, 192), np.uint8)
    table[: len(net.info.colors)] = net.info.colors
    return table[labels]


def largest_class(label: np.ndarray) -> int:
    """The class with the most pixels, except the background."""
    return 1 + int(np.bincount(label[(label > 0) & (label < 255)])[1:].argmax())


def diverging(values: np.ndarray, largest: float) -> np.ndarray:
    """Values as colours: orange below 0, grey at 0, blue above."""
    t = np.clip(values / largest, -1, 1)[..., None]
    middle, low, high = (np.array(each, float) for each in ((128, 128, 128), (255, 130, 40), (50, 150, 255)))
    return (middle + np.abs(t) * (np.where(t < 0, low, high) - middle)).astype(np.uint8)
